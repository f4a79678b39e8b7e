// Blocks from cudaMalloc, kept by size class when they are freed. All work of a device is ordered on one stream, so a
// block that the host has let go can be handed out at once: whatever still reads it comes first on the stream. No event
// and no wait is needed, and a training step, which asks for the same sizes each time, asks nothing of the driver from
// its third step on.
//
// A size class is what device_block_size() says: at most an eighth of a block is not used.
#include <array>
#include <mutex>
#include <utility>

#include "core/block_cache.h"
#include "core/block_pool_cuda.h"
#include "core/cuda.h"
#include "core/out_of_memory.h"

namespace ghost {
namespace {

constexpr size_t kMaxDevices = 64;

std::string mib(int64_t bytes) { return str((bytes + (1 << 19)) >> 20, " MiB"); }

class DeviceCache {
 public:
  void* take(int64_t size, const Device& device) {
    const std::lock_guard lock(mutex_);
    return blocks_.take(size, [&] { return grow(size, device); });
  }
  void give(void* block, int64_t size) noexcept {
    const std::lock_guard lock(mutex_);
    blocks_.give(block, size);
  }
  void release(const Device& device) {
    const std::lock_guard lock(mutex_);
    release_locked(device);
  }
  MemoryStats stats() {
    const std::lock_guard lock(mutex_);
    return blocks_.stats();
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    blocks_.reset_peak();
  }

 private:
  void* grow(int64_t size, const Device& device) {
    GHOST_CUDA_CALL(cudaSetDevice(device.index()));
    void* block = nullptr;
    cudaError_t status = cudaMalloc(&block, static_cast<size_t>(size));
    if (status == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());
      release_locked(device);  // the cached blocks may be of other sizes
      status = cudaMalloc(&block, static_cast<size_t>(size));
    }
    if (status == cudaErrorMemoryAllocation) fail_out_of_memory(size, device);
    check_cuda(status, "cudaMalloc");
    return block;
  }

  void release_locked(const Device& device) {
    GHOST_CUDA_CALL(cudaStreamSynchronize(current_stream(device)));
    blocks_.release([](void* block) { GHOST_CUDA_CALL(cudaFree(block)); });
  }

  [[noreturn]] void fail_out_of_memory(int64_t size, const Device& device) {
    static_cast<void>(cudaGetLastError());
    size_t free = 0, total = 0;
    GHOST_CUDA_CALL(cudaMemGetInfo(&free, &total));
    const MemoryStats stats = blocks_.stats();
    throw OutOfMemory(str("out of memory on ", device, ": asked ", mib(size), ", in use ", mib(stats.in_use),
                          ", cached ", mib(stats.cached), ", free ", mib(static_cast<int64_t>(free)), " of ",
                          mib(static_cast<int64_t>(total)), "; lower train.batch_size, or set train.cuda_graph=false"),
                      static_cast<int64_t>(free) + stats.in_use + stats.cached);
  }

  std::mutex mutex_;
  BlockCache blocks_;
};

// Never destroyed: tensors with static lifetime give their memory back after main, when the driver may be gone.
DeviceCache& cache_of(const Device& device) {
  static std::array<DeviceCache, kMaxDevices>& caches = *new std::array<DeviceCache, kMaxDevices>;
  const size_t index = static_cast<size_t>(device.index());
  GHOST_ASSERT(device.is_cuda() && index < caches.size(), "memory of ", device);
  return caches[index];
}

std::shared_ptr<void> block_of(int64_t size, const Device& device) {
  DeviceCache& cache = cache_of(device);
  return {cache.take(size, device), [&cache, size](void* block) { cache.give(block, size); }};
}

thread_local BlockPool* innermost_pool = nullptr;

}  // namespace

std::shared_ptr<void> cuda_allocate(int64_t bytes, const Device& device) {
  if (bytes <= 0) return nullptr;
  const int64_t size = device_block_size(bytes);
  BlockPool* const pool = BlockPool::current(device);
  return pool ? pool->take(size) : block_of(size, device);
}

BlockPool::Scope::Scope(BlockPool& pool) : outer_(std::exchange(innermost_pool, &pool)) {}
BlockPool::Scope::~Scope() { innermost_pool = outer_; }

BlockPool* BlockPool::current(const Device& device) {
  return innermost_pool && innermost_pool->device_ == device ? innermost_pool : nullptr;
}

std::shared_ptr<void> BlockPool::take(int64_t size) {
  std::shared_ptr<void> block;
  {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<void>>& free = free_[size];
    if (!free.empty()) {
      block = std::move(free.back());
      free.pop_back();
    }
  }
  if (!block) block = block_of(size, device_);
  void* const address = block.get();
  return {address, [pool = shared_from_this(), block = std::move(block), size](void*) mutable {
            const std::lock_guard lock(pool->mutex_);
            pool->free_[size].push_back(std::move(block));
          }};
}

MemoryStats cuda_memory_stats(const Device& device) { return cache_of(device).stats(); }
void cuda_reset_peak(const Device& device) { cache_of(device).reset_peak(); }
void cuda_release_cached(const Device& device) { cache_of(device).release(device); }

}  // namespace ghost
