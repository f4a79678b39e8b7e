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

// The stream all work on `device` is ordered on, one per device; made at first use. Makes `device` the calling thread's
// current one, as a launch on its stream needs.
cudaStream_t current_stream(const Device& device);

// For destructors, which must not throw: one line on stderr.
void log_cuda_failure(const char* call, const char* meaning) noexcept;

}  // namespace ghost

#endif
