// How threads are laid over an NHWC map: x over groups of V channels (neighbouring threads read neighbouring channels),
// y over the pixels of an image, blockIdx.z over images. A thread keeps its channels, so per-channel numbers stay in
// registers; all loops are strided, so any grid is right.
#pragma once

#include <algorithm>

#include "kernels/cuda_pack.h"

namespace ghost::cuda {

struct MapSize {
  int64_t images, pixels, channels;  // pixels of one image
};

// Images apart where something depends on the image (a gate, a mean over pixels), else all pixels as one.
inline MapSize map_size(const Tensor& map, bool by_image) {
  if (!by_image) return {1, map.pixels(), map.channels()};
  return {map.dim(0), map.dim(0) == 0 ? 0 : map.pixels() / map.dim(0), map.channels()};
}

constexpr int kMapThreads = 256;
// Enough blocks to fill any GPU several times over, few enough that per-block partial sums stay small.
constexpr int64_t kMapBlocks = 2048;

// x: all groups of channels, cut into equal parts of at most `max_x`; y: as many rows as fit and are there.
inline dim3 map_block(int64_t groups, int64_t rows, int64_t threads = kMapThreads, int64_t max_x = 64) {
  const int64_t x = ceil_div(groups, ceil_div(groups, max_x));
  const int64_t y = std::max<int64_t>(1, std::min(threads / x, rows));
  return dim3(static_cast<unsigned>(x), static_cast<unsigned>(y));
}

inline unsigned capped_blocks(int64_t wanted, int64_t cap) {
  return static_cast<unsigned>(std::clamp<int64_t>(wanted, 1, std::clamp<int64_t>(cap, 1, 65535)));
}

struct MapLaunch {
  dim3 grid, block;
};

// rows_per_thread: pixels a thread walks at least, where a reduction should not end in many partial sums.
inline MapLaunch map_launch(const MapSize& size, int width, int64_t rows_per_thread = 1) {
  const int64_t groups = size.channels / width;
  const dim3 block = map_block(groups, size.pixels);
  const int64_t x = ceil_div(groups, block.x);
  const int64_t y = capped_blocks(ceil_div(size.pixels, block.y * rows_per_thread), kMapBlocks / x);
  const int64_t z = capped_blocks(size.images, kMapBlocks * 4 / (x * y));
  return {dim3(static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z)), block};
}

template <int V>
__device__ inline int64_t first_channel() {
  return (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * V;
}
__device__ inline int64_t first_pixel() { return static_cast<int64_t>(blockIdx.y) * blockDim.y + threadIdx.y; }
__device__ inline int64_t pixel_step() { return static_cast<int64_t>(gridDim.y) * blockDim.y; }

}  // namespace ghost::cuda
