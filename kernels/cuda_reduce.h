// Deterministic sums: within a thread, then over the rows of a block through shared memory in a fixed tree, then over
// blocks: the last one done adds up what all have left, in order. No float atomics.
#pragma once

#include "kernels/cuda_map.h"

namespace ghost::cuda {

// Folds items of all `rows` of a column into row 0: into.add(other). Threads are numbered row * columns + column.
// `shared` holds one item a thread. Every thread of the block calls it; afterwards row 0's `item` is the result.
template <class Item>
__device__ inline void fold_rows(Item& item, Item* shared, int row, int rows, int column, int columns) {
  shared[row * columns + column] = item;
  while (rows > 1) {
    const int half = (rows + 1) / 2;
    __syncthreads();
    if (row < rows - half) {
      item.add(shared[(row + half) * columns + column]);
      shared[row * columns + column] = item;
    }
    rows = half;
  }
  __syncthreads();  // shared may be used again
}

// The blocks of a launch that share blockIdx.x and z are a column, and each leaves a part of its sums, numbered
// blockIdx.y.
constexpr int kColumns = 4096;  // of a launch, at most

inline void require_columns(const char* op, const dim3& grid) {
  GHOST_CHECK(static_cast<int64_t>(grid.x) * grid.z <= kColumns, op,
              ": more channels than CUDA code sums up in one go");
}

// Called by every thread of `blocks` blocks once their parts are written: true in the last of them, which sees all
// parts. `ticket` is a zero in the device's memory, and again zero after the launch; one stream at a time uses it.
__device__ inline bool last_block(unsigned* ticket, unsigned blocks) {
  bool last = false;
  __syncthreads();
  if (threadIdx.x + threadIdx.y + threadIdx.z == 0) {
    __threadfence();
    last = atomicInc(ticket, blocks - 1) == blocks - 1;
    __threadfence();
  }
  return __syncthreads_or(last);
}

// The same for the blocks of each column; `tickets` are kColumns zeros.
__device__ inline bool last_of_column(unsigned* tickets) {
  return last_block(tickets + blockIdx.z * gridDim.x + blockIdx.x, gridDim.y);
}

// Adds read(part) over all parts of the column into `item`: each row of the block takes its share, then they are
// folded. Every thread of the block calls it; afterwards row 0's `item` is the result.
template <class Item, class Read>
__device__ inline void join_parts(Item& item, Item* shared, int column, int columns, bool active, const Read& read) {
  for (unsigned part = threadIdx.y; active && part < gridDim.y; part += blockDim.y) item.add(read(part));
  fold_rows(item, shared, threadIdx.y, blockDim.y, column, columns);
}

template <int V>
struct Sum : Pack<V> {
  __device__ void add(const Pack<V>& other) {
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) this->v[i] += other.v[i];
  }
};

template <int V>
__device__ inline Sum<V> zero_sum() {
  return Sum<V>{splat<V>(0)};
}

// Count, mean and squared deviations from it, joined as in Chan, Golub and LeVeque, 1979: large means do not cancel.
template <int V>
struct MomentsOf {
  float count, mean[V], m2[V];

  __device__ void add(const MomentsOf& other) {
    if (other.count == 0) return;
    const float total = count + other.count, share = other.count / total;
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) {
      const float delta = other.mean[i] - mean[i];
      mean[i] += delta * share;
      m2[i] += other.m2[i] + delta * delta * (count * share);
    }
    count = total;
  }
};

// Gathers one thread's values: sums of differences from the first value, which lies as near the mean as any.
template <int V>
class MomentSums {
 public:
  __device__ void add(const Pack<V>& value) {
    if (count_ == 0) pivot_ = value;
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) {
      const float difference = value.v[i] - pivot_.v[i];
      sum_.v[i] += difference;
      squares_.v[i] += difference * difference;
    }
    ++count_;
  }

  __device__ MomentsOf<V> moments() const {
    MomentsOf<V> result;
    result.count = static_cast<float>(count_);
    const float inverse = count_ == 0 ? 0.0f : 1.0f / result.count;
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) {
      const float shift = sum_.v[i] * inverse, m2 = squares_.v[i] - sum_.v[i] * shift;
      result.mean[i] = pivot_.v[i] + shift;
      result.m2[i] = m2 < 0 ? 0 : m2;  // NaN passes
    }
    return result;
  }

 private:
  int count_ = 0;
  Pack<V> pivot_ = splat<V>(0), sum_ = splat<V>(0), squares_ = splat<V>(0);
};

// Partial moments {parts, 3, c}: rows count, mean, squared deviations. Written by row 0 of each block.
template <int V>
__device__ inline void store_moments(float* partials, int64_t part, int64_t channels, int64_t channel,
                                     const MomentsOf<V>& moments) {
  float* const to = partials + part * 3 * channels + channel;
  GHOST_UNROLL
  for (int i = 0; i < V; ++i) {
    to[i] = moments.count;
    to[channels + i] = moments.mean[i];
    to[2 * channels + i] = moments.m2[i];
  }
}

template <int V>
__device__ inline MomentsOf<V> load_moments(const float* partials, int64_t part, int64_t channels, int64_t channel) {
  const float* const from = partials + part * 3 * channels + channel;
  const Pack<V> mean = load<V>(from + channels), m2 = load<V>(from + 2 * channels);
  MomentsOf<V> moments;
  moments.count = from[0];
  GHOST_UNROLL
  for (int i = 0; i < V; ++i) {
    moments.mean[i] = mean.v[i];
    moments.m2[i] = m2.v[i];
  }
  return moments;
}

// Sums over the lanes of a warp, in every lane.
template <class T>
__device__ inline T warp_sum(T value) {
  for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(0xffffffffu, value, lanes);
  return value;
}

// Sum and maximum over a block of whole warps (at most 1024 threads), in every thread; `shared` holds 32 items.
template <class T>
__device__ inline T block_sum(T value, T* shared) {
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
  __syncthreads();
  T total = 0;
  for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) total += shared[warp];
  __syncthreads();  // shared may be used again
  return total;
}

__device__ inline float block_max(float value, float* shared) {
  for (int lanes = 16; lanes > 0; lanes /= 2) value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, lanes));
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
  __syncthreads();
  float largest = shared[0];
  for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) largest = fmaxf(largest, shared[warp]);
  __syncthreads();  // shared may be used again
  return largest;
}

}  // namespace ghost::cuda
