// nvcc's side of core/launch.h.
#pragma once

#include <cuda_runtime.h>
#include <nvtx3/nvToolsExt.h>

#include <type_traits>

#include "core/cuda.h"

#if !defined(GHOST_DYNAMIC_SHARED)  // tests/standin has its own of these two
#define GHOST_DYNAMIC_SHARED(T, name)                                    \
  extern __shared__ __align__(16) unsigned char ghost_dynamic_shared_[]; \
  T* const name = reinterpret_cast<T*>(ghost_dynamic_shared_)

// Checked in tests/simt; here the hardware traps.
#define GHOST_CHECK_ALIGNED(pointer, bytes)
#endif

namespace ghost {

// kernel(args...) on `stream`; throws kDevice with the kernel's name and the status when it cannot be started.
// Arguments convert to the kernel's parameters as in a plain call, so a wrong pointer type does not compile.
template <class... Params>
void launch(void (*kernel)(Params...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
            std::type_identity_t<Params>... args) {
  const char* name = "kernel";
  if (cudaFuncGetName(&name, reinterpret_cast<const void*>(kernel)) != cudaSuccess) name = "kernel";
  nvtxRangePushA(name);
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  const cudaError_t status = cudaLaunchKernelEx(&config, kernel, args...);
  nvtxRangePop();
  check_cuda(status, name);
}

}  // namespace ghost
