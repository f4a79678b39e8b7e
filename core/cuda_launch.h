// nvcc's side of core/launch.h.
#pragma once

#include <cuda_runtime.h>
#include <nvtx3/nvToolsExt.h>

#include <utility>

#include "core/cuda.h"

#define GHOST_DYNAMIC_SHARED(T, name)                                  \
  extern __shared__ __align__(16) unsigned char ghost_dynamic_shared_[]; \
  T* const name = reinterpret_cast<T*>(ghost_dynamic_shared_)

namespace ghost {

// kernel(args...) on `stream`; throws kDevice with the kernel's name and the status when it cannot be started.
template <class... Params, class... Args>
void launch(void (*kernel)(Params...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream, Args&&... args) {
  const char* name = "kernel";
  cudaFuncGetName(&name, reinterpret_cast<const void*>(kernel));
  nvtxRangePushA(name);
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  const cudaError_t status = cudaLaunchKernelEx(&config, kernel, static_cast<Params>(args)...);
  nvtxRangePop();
  check_cuda(status, name);
}

}  // namespace ghost
