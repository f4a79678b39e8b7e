// How threads are laid over an NHWC map: x over groups of V channels (neighbouring threads read neighbouring channels),
// y over the pixels of an image, blockIdx.z over images. A thread keeps its channels, so per-channel numbers stay in
// registers; all loops are strided, so any grid is right.
#pragma once

#include "kernels/cuda_pack.h"

namespace ghost::cuda {

inline dim3 as_dim3(const GridSize& size) { return dim3(size.x, size.y, size.z); }

struct MapLaunch {
  dim3 grid, block;
};

// rows_per_thread: pixels a thread walks at least.
inline MapLaunch map_launch(const MapSize& size, int width, int64_t rows_per_thread = 1) {
  const MapGrid how = map_grid(size, width, rows_per_thread);
  return {as_dim3(how.grid), as_dim3(how.block)};
}

template <int V>
__device__ inline int64_t first_channel() {
  return (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * V;
}
__device__ inline int64_t first_pixel() { return static_cast<int64_t>(blockIdx.y) * blockDim.y + threadIdx.y; }
__device__ inline int64_t pixel_step() { return static_cast<int64_t>(gridDim.y) * blockDim.y; }

}  // namespace ghost::cuda
