#include "core/allocator.h"

#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <set>

#include "core/error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define GHOST_POISON(address, bytes) ASAN_POISON_MEMORY_REGION(address, bytes)
#define GHOST_UNPOISON(address, bytes) ASAN_UNPOISON_MEMORY_REGION(address, bytes)
#else
#define GHOST_POISON(address, bytes) ((void)0)
#define GHOST_UNPOISON(address, bytes) ((void)0)
#endif

namespace ghost {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kHugePage = int64_t{2} << 20;
constexpr int64_t kArena = int64_t{64} << 20;  // the least that is asked of the system at once

constexpr int64_t round_up(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

std::string mib(int64_t bytes) { return str((bytes + (1 << 19)) >> 20, " MiB"); }

// Best fit over free blocks, split on allocation and merged with free neighbours on release. One lock: a training step
// asks a few hundred times.
class HostArena {
 public:
  void* take(int64_t bytes, int64_t& taken) {
    taken = round_up(bytes, kAlignment);
    std::lock_guard lock(mutex_);
    auto found = free_.lower_bound({taken, nullptr});
    if (found == free_.end()) {
      grow(taken);
      found = free_.lower_bound({taken, nullptr});
    }
    char* const address = found->second;
    const int64_t size = found->first;
    free_.erase(found);
    Block& block = blocks_.at(address);
    block.free = false;
    if (size > taken) {
      block.size = taken;
      blocks_[address + taken] = {size - taken, true, block.arena};
      free_.insert({size - taken, address + taken});
    }
    stats_.in_use += taken;
    stats_.cached -= taken;
    stats_.peak = std::max(stats_.peak, stats_.in_use);
    ++stats_.allocations;
    GHOST_UNPOISON(address, bytes);
    return address;
  }

  void give(void* pointer) {
    std::lock_guard lock(mutex_);
    auto block = blocks_.find(static_cast<char*>(pointer));
    stats_.in_use -= block->second.size;
    stats_.cached += block->second.size;
    GHOST_POISON(pointer, block->second.size);
    if (auto next = std::next(block); next != blocks_.end() && can_merge(*block, *next)) {
      free_.erase({next->second.size, next->first});
      block->second.size += next->second.size;
      blocks_.erase(next);
    }
    if (block != blocks_.begin()) {
      auto previous = std::prev(block);
      if (can_merge(*previous, *block)) {
        free_.erase({previous->second.size, previous->first});
        previous->second.size += block->second.size;
        blocks_.erase(block);
        block = previous;
      }
    }
    block->second.free = true;
    free_.insert({block->second.size, block->first});
  }

  void release() {
    std::lock_guard lock(mutex_);
    for (auto block = blocks_.begin(); block != blocks_.end();) {
      const int64_t size = block->second.size;
      if (block->second.free && arenas_.at(block->second.arena) == size) {
        GHOST_UNPOISON(block->first, size);
        munmap(block->first, static_cast<size_t>(size));
        arenas_.erase(block->second.arena);
        free_.erase({size, block->first});
        stats_.cached -= size;
        block = blocks_.erase(block);
      } else {
        ++block;
      }
    }
  }

  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }
  void reset_peak() {
    std::lock_guard lock(mutex_);
    stats_.peak = stats_.in_use;
  }

 private:
  struct Block {
    int64_t size;
    bool free;
    char* arena;
  };
  using Entry = std::pair<char* const, Block>;

  // `first` may be the block being released, so only its neighbour's state is asked.
  static bool can_merge(const Entry& first, const Entry& second) {
    const bool adjacent = first.first + first.second.size == second.first && first.second.arena == second.second.arena;
    return adjacent && (first.second.free || second.second.free);
  }

  void grow(int64_t bytes) {
    const int64_t size = std::max(kArena, round_up(bytes, kHugePage));
    // Mapped with room to spare, then trimmed to a 2 MiB boundary.
    char* const mapped = static_cast<char*>(mmap(nullptr, static_cast<size_t>(size + kHugePage), PROT_READ | PROT_WRITE,
                                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    GHOST_CHECK_AS(kDevice, mapped != MAP_FAILED, "out of memory on cpu: asked ", mib(bytes), ", in use ",
                   mib(stats_.in_use), ", cached ", mib(stats_.cached), ", free ",
                   mib(int64_t{sysconf(_SC_AVPHYS_PAGES)} * sysconf(_SC_PAGESIZE)), "; lower train.batch_size");
    char* const arena = reinterpret_cast<char*>(round_up(reinterpret_cast<intptr_t>(mapped), kHugePage));
    if (arena != mapped) munmap(mapped, static_cast<size_t>(arena - mapped));
    char* const end = mapped + size + kHugePage;
    if (arena + size != end) munmap(arena + size, static_cast<size_t>(end - arena - size));
    madvise(arena, static_cast<size_t>(size), MADV_HUGEPAGE);
    GHOST_POISON(arena, size);
    arenas_[arena] = size;
    blocks_[arena] = {size, true, arena};
    free_.insert({size, arena});
    stats_.cached += size;
    ++stats_.system_allocations;
  }

  std::mutex mutex_;
  std::map<char*, Block> blocks_;             // by address, whole arenas without gaps
  std::set<std::pair<int64_t, char*>> free_;  // by size, then address
  std::map<char*, int64_t> arenas_;
  MemoryStats stats_;
};

// Never destroyed: tensors with static lifetime give their memory back after main.
HostArena& host_arena() {
  static HostArena* const arena = new HostArena;
  return *arena;
}

}  // namespace

std::shared_ptr<void> host_allocate(int64_t bytes) {
  if (bytes <= 0) return nullptr;
  int64_t taken = 0;
  return {host_arena().take(bytes, taken), [](void* pointer) { host_arena().give(pointer); }};
}

std::shared_ptr<void> allocate(int64_t bytes, const Device& device) {
  if (device.is_meta()) return meta_allocate(bytes);
  return device.is_cpu() ? host_allocate(bytes) : cuda_allocate(bytes, device);
}

MemoryStats memory_stats(const Device& device) {
  if (device.is_meta()) return meta_memory_stats();
  return device.is_cpu() ? host_arena().stats() : cuda_memory_stats(device);
}

void reset_peak(const Device& device) {
  if (device.is_meta()) return meta_reset_peak();
  if (device.is_cpu())
    host_arena().reset_peak();
  else
    cuda_reset_peak(device);
}

void release_cached(const Device& device) {
  if (device.is_meta()) return meta_release_cached();
  if (device.is_cpu())
    host_arena().release();
  else
    cuda_release_cached(device);
}

}  // namespace ghost
