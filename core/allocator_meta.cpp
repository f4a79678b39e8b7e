#include <algorithm>
#include <bit>
#include <map>
#include <mutex>
#include <vector>

#include "core/allocator.h"

namespace ghost {
namespace {

constexpr int64_t kLeast = 512;
constexpr uintptr_t kFirstAddress = uintptr_t{1} << 40;

// CUDA's cache of blocks by size class (allocator_cuda.cpp) over a device that never runs out.
class MetaCache {
 public:
  void* take(int64_t size) {
    const std::lock_guard lock(mutex_);
    std::vector<void*>& blocks = free_[size];
    void* block = nullptr;
    if (blocks.empty()) {
      block = reinterpret_cast<void*>(next_);
      next_ += static_cast<uintptr_t>(size);
      ++stats_.system_allocations;
    } else {
      block = blocks.back();
      blocks.pop_back();
      stats_.cached -= size;
    }
    stats_.in_use += size;
    stats_.peak = std::max(stats_.peak, stats_.in_use);
    ++stats_.allocations;
    return block;
  }

  void give(void* block, int64_t size) {
    const std::lock_guard lock(mutex_);
    stats_.in_use -= size;
    stats_.cached += size;
    free_[size].push_back(block);
  }

  MemoryStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak = stats_.in_use;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    free_.clear();
    stats_.cached = 0;
  }

 private:
  std::mutex mutex_;
  std::map<int64_t, std::vector<void*>> free_;
  uintptr_t next_ = kFirstAddress;
  MemoryStats stats_;
};

// Never destroyed: tensors with static lifetime give their memory back after main.
MetaCache& meta_cache() {
  static MetaCache* const cache = new MetaCache;
  return *cache;
}

}  // namespace

int64_t device_block_size(int64_t bytes) {
  if (bytes <= kLeast) return kLeast;
  const int64_t unit =
      std::max<int64_t>(static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes))) / 8, kLeast);
  return (bytes + unit - 1) / unit * unit;
}

std::shared_ptr<void> meta_allocate(int64_t bytes) {
  if (bytes <= 0) return nullptr;
  const int64_t size = device_block_size(bytes);
  return {meta_cache().take(size), [size](void* block) { meta_cache().give(block, size); }};
}

MemoryStats meta_memory_stats() { return meta_cache().stats(); }
void meta_reset_peak() { meta_cache().reset_peak(); }
void meta_release_cached() { meta_cache().release(); }

}  // namespace ghost
