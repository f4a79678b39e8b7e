// V neighbouring channels in registers (V = 4 or 1), loaded and stored with one instruction each. The host picks V = 4
// where channel count, pitches and addresses allow 16-byte accesses.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "core/tensor.h"
#include "kernels/cuda_require.h"
#include "kernels/cuda_vector.h"

#if defined(__CUDACC__)
#define GHOST_UNROLL _Pragma("unroll")
#define GHOST_NO_UNROLL _Pragma("unroll 1")
#else
#define GHOST_UNROLL
#define GHOST_NO_UNROLL
#endif

namespace ghost::cuda {

template <int V>
struct alignas(V * sizeof(float)) Pack {
  float v[V];
};

template <int V>
__device__ inline Pack<V> splat(float value) {
  Pack<V> pack;
  GHOST_UNROLL
  for (int i = 0; i < V; ++i) pack.v[i] = value;
  return pack;
}

template <int V>
__device__ inline Pack<V> load(const float* from) {
  if constexpr (V == 4) {
    const float4 four = load_vector<float4>(from);
    return {{four.x, four.y, four.z, four.w}};
  } else {
    return {{*from}};
  }
}

template <int V>
__device__ inline void store(float* to, const Pack<V>& pack) {
  if constexpr (V == 4) {
    store_vector(to, make_float4(pack.v[0], pack.v[1], pack.v[2], pack.v[3]));
  } else {
    *to = pack.v[0];
  }
}

template <int V>
__device__ inline void store_or_add(float* to, Pack<V> pack, bool accumulate) {
  if (accumulate) {
    const Pack<V> old = load<V>(to);
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) pack.v[i] += old.v[i];
  }
  store(to, pack);
}

// V numbers of a per-channel vector that may be absent and need not be aligned; read once per thread.
template <int V>
__device__ inline Pack<V> load_channels(const float* from, int64_t channel, float absent) {
  if (from == nullptr) return splat<V>(absent);
  Pack<V> pack;
  GHOST_UNROLL
  for (int i = 0; i < V; ++i) pack.v[i] = from[channel + i];
  return pack;
}

// A feature map on the device: rows of channels, `pitch` elements apart.
struct ConstMap {
  const float* data;
  int64_t pitch;
};
struct Map {
  float* data;
  int64_t pitch;
};
inline float* data_or_null(const Tensor& tensor) { return tensor.defined() ? tensor.data<float>() : nullptr; }
inline ConstMap const_map(const Tensor& tensor) { return {data_or_null(tensor), tensor.pitch()}; }
inline Map map_of(const Tensor& tensor) { return {tensor.data<float>(), tensor.pitch()}; }

// Calls visit with the vector width as a constant.
template <class Visit>
void visit_width(bool vectors, const Visit& visit) {
  if (vectors) {
    visit(std::integral_constant<int, 4>{});
  } else {
    visit(std::integral_constant<int, 1>{});
  }
}

}  // namespace ghost::cuda
