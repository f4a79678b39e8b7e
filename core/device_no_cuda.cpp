#include "core/cuda_device.h"

namespace ghost {

std::string cuda_device_reason(int) {
  return "this build has no CUDA. Configure with --preset cuda-release, or use device=cpu.";
}

}  // namespace ghost
