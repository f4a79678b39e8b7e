// Starting a CUDA kernel: launch(kernel, grid, block, shared_bytes, stream, args...). Under nvcc a thin wrapper over
// cudaLaunchKernelEx with an NVTX range and an error check; in tests/simt the same call runs the kernel on the CPU, one
// fiber per CUDA thread. Kernels therefore use no <<<>>>, no inline PTX, and GHOST_DYNAMIC_SHARED for dynamic shared
// memory.
#pragma once

#include <cstdint>

#include "core/host_device.h"
#include "core/tensor.h"

#if defined(GHOST_SIMT)
#include "tests/simt/simt.h"
#elif defined(__CUDACC__)
#include "core/cuda_launch.h"
#endif

namespace ghost {

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Grid for one thread per item in blocks of `block` threads, capped: kernels loop with GHOST_GRID_STRIDE_LOOP.
constexpr unsigned grid_for(int64_t items, int64_t block, int64_t max_blocks = 65535) {
  const int64_t blocks = ceil_div(items, block);
  return static_cast<unsigned>(blocks < 1 ? 1 : blocks < max_blocks ? blocks : max_blocks);
}

}  // namespace ghost

#define GHOST_GRID_STRIDE_LOOP(i, count)                                                                         \
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < static_cast<int64_t>(count); \
       i += static_cast<int64_t>(gridDim.x) * blockDim.x)
