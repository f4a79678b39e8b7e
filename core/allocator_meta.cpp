#include <algorithm>
#include <bit>
#include <mutex>

#include "core/block_cache.h"

namespace ghost {
namespace {

constexpr int64_t kLeast = 512;
constexpr uintptr_t kFirstAddress = uintptr_t{1} << 40;

// CUDA's cache of blocks (allocator_cuda.cpp) over a device that never runs out.
class MetaCache {
 public:
  void* take(int64_t size) {
    const std::lock_guard lock(mutex_);
    return blocks_.take(size, [&] {
      const uintptr_t address = next_;
      next_ += static_cast<uintptr_t>(size);
      return reinterpret_cast<void*>(address);
    });
  }
  void give(void* block, int64_t size) {
    const std::lock_guard lock(mutex_);
    blocks_.give(block, size);
  }
  MemoryStats stats() {
    const std::lock_guard lock(mutex_);
    return blocks_.stats();
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    blocks_.reset_peak();
  }
  void release() {
    const std::lock_guard lock(mutex_);
    blocks_.release([](void*) {});
  }

 private:
  std::mutex mutex_;
  BlockCache blocks_;
  uintptr_t next_ = kFirstAddress;
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
