#include "core/device.h"

namespace ghost {

std::string cuda_unavailable_reason() {
  return "this build has no CUDA. Configure with --preset cuda-release, or use device=cpu.";
}

}  // namespace ghost
