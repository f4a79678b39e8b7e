// The smallest kernel: whether a device runs what this build holds.
#pragma once

#include "core/cuda.h"

namespace ghost::cuda {

// *answer, on the device, becomes question + 1.
void probe(int question, int* answer, cudaStream_t stream);

}  // namespace ghost::cuda
