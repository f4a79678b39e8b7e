// One CUDA device's state, for core/device.cpp; device.h asks the same of the first device.
#pragma once

#include <string>

namespace ghost {

// "" when cuda:index can be used, else one sentence that says why not and what to do: no CUDA in this build, no driver,
// driver too old, no such device, no kernels for its architecture, a vendor library missing.
std::string cuda_device_reason(int index);

}  // namespace ghost
