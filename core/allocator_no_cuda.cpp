#include "core/allocator.h"

namespace ghost {

std::shared_ptr<void> cuda_allocate(int64_t, const Device& device) {
  require_cpu(device);
  return nullptr;
}
MemoryStats cuda_memory_stats(const Device& device) {
  require_cpu(device);
  return {};
}
void cuda_reset_peak(const Device& device) { require_cpu(device); }
void cuda_release_cached(const Device& device) { require_cpu(device); }

}  // namespace ghost
