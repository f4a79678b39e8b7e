// What the depthwise kernels share on the device; depthwise_grid.h has the host's part.
#pragma once

#include "kernels/cuda_epilogue.h"
#include "kernels/cuda_reduce.h"
#include "kernels/depthwise_grid.h"

namespace ghost::cuda {

// Weights {c, K, K} of the block's channels to shared memory as [tap][channel]; 0 beyond the last channel.
template <int Taps>
__device__ inline void load_weights(const float* weight, int64_t channels, float* shared) {
  const int width = blockDim.x * kLanes, threads = blockDim.x * blockDim.y;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * width;
  for (int i = threadIdx.y * blockDim.x + threadIdx.x; i < width * Taps; i += threads) {
    const int channel = i / Taps, tap = i % Taps;
    shared[tap * width + channel] = first + channel < channels ? weight[(first + channel) * Taps + tap] : 0.0f;
  }
  __syncthreads();
}

// A strip of pixels in a map of `per_row` strips a row.
struct Strip {
  int n, row, column;  // column: of the strip's first pixel
};
__device__ inline Strip strip_at(unsigned index, unsigned per_row, unsigned rows) {
  const unsigned line = index / per_row;
  return {static_cast<int>(line / rows), static_cast<int>(line % rows), static_cast<int>(index % per_row) * kStrip};
}

__device__ inline void multiply_add(Pack<kLanes>& sum, const Pack<kLanes>& a, const Pack<kLanes>& b) {
  GHOST_UNROLL
  for (int i = 0; i < kLanes; ++i) sum.v[i] += a.v[i] * b.v[i];
}

}  // namespace ghost::cuda
