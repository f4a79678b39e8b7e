// The grids of kernels over NHWC maps: x over groups of channels, y over the pixels of an image, z over images. Plain
// C++: the CUDA code starts them (cuda_map.h), the meta device's counts the partial sums that they leave.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "core/launch.h"

namespace ghost {

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
// Pixels a thread walks at least where a reduction should not end in many partial sums.
constexpr int64_t kRowsPerThread = 16;

struct GridSize {
  unsigned x = 1, y = 1, z = 1;
};

// x: all groups of channels, cut into equal parts of at most `max_x`; y: as many rows as fit and are there.
inline GridSize map_block_size(int64_t groups, int64_t rows, int64_t threads = kMapThreads, int64_t max_x = 64) {
  const int64_t x = ceil_div(groups, ceil_div(groups, max_x));
  const int64_t y = std::max<int64_t>(1, std::min(threads / x, rows));
  return {static_cast<unsigned>(x), static_cast<unsigned>(y)};
}

inline unsigned capped_blocks(int64_t wanted, int64_t cap) {
  return static_cast<unsigned>(std::clamp<int64_t>(wanted, 1, std::clamp<int64_t>(cap, 1, 65535)));
}

struct MapGrid {
  GridSize grid, block;
};

inline MapGrid map_grid(const MapSize& size, int width, int64_t rows_per_thread = 1) {
  const int64_t groups = size.channels / width;
  const GridSize block = map_block_size(groups, size.pixels);
  const int64_t x = ceil_div(groups, block.x);
  const int64_t y = capped_blocks(ceil_div(size.pixels, block.y * rows_per_thread), kMapBlocks / x);
  const int64_t z = capped_blocks(size.images, kMapBlocks * 4 / (x * y));
  return {{static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z)}, block};
}

// Whether every map can be read `width` channels at a time, with one access. Undefined tensors do not count.
inline bool fits_vectors(std::initializer_list<Tensor> maps, int width = 4) {
  for (const Tensor& map : maps) {
    if (!map.defined()) continue;
    if (map.channels() % width != 0 || (map.pixels() > 1 && map.pitch() % width != 0)) return false;
    if (reinterpret_cast<uintptr_t>(map.raw_data()) % static_cast<uintptr_t>(width * size_of(map.dtype())) != 0)
      return false;
  }
  return true;
}

// The most channels that one access of at most 16 bytes reads of every map: 8 (of half maps), 4 or 1.
inline int vector_width(std::initializer_list<Tensor> maps) {
  if (is_half(maps.begin()->dtype()) && fits_vectors(maps, 8)) return 8;
  return fits_vectors(maps) ? 4 : 1;
}

// Parts that a reduction over all pixels of these maps leaves.
inline int64_t reduction_parts(std::initializer_list<Tensor> maps) {
  return map_grid(map_size(*maps.begin(), false), vector_width(maps), kRowsPerThread).grid.y;
}

}  // namespace ghost
