// What the CUDA code shares: status check, the current stream. Included by CUDA sources only.
#pragma once

#if defined(GHOST_SIMT)
#include "tests/simt/simt.h"
#else

#include <cuda_runtime.h>

#include "core/device.h"

namespace ghost {

// Throws kDevice: the call, the status and its meaning.
void check_cuda(cudaError_t status, const char* call);
#define GHOST_CUDA_CALL(call) ::ghost::check_cuda((call), #call)

// The stream all work of this thread on `device` is ordered on; made at first use.
cudaStream_t current_stream(const Device& device);

}  // namespace ghost

#endif
