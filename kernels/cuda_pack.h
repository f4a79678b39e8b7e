// V neighbouring channels in registers (V = 8, 4 or 1), loaded and stored with one instruction each: 4 of float32 or 8
// of a half type are 16 bytes. In registers they are float32; what a map holds is S: float, BFloat16 or Float16. The
// host picks the largest V that channel count, pitches and addresses allow.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "core/half.h"
#include "core/tensor.h"
#include "kernels/cuda_require.h"
#include "kernels/cuda_vector.h"
#include "kernels/map_grid.h"

#if defined(__CUDACC__)
#define GHOST_UNROLL _Pragma("unroll")
#define GHOST_NO_UNROLL _Pragma("unroll 1")
#else
#define GHOST_UNROLL
#define GHOST_NO_UNROLL
#endif

namespace ghost::cuda {

template <int V>
struct alignas((V < 4 ? V : 4) * sizeof(float)) Pack {
  float v[V];
};

template <int V>
__device__ inline Pack<V> splat(float value) {
  Pack<V> pack;
  GHOST_UNROLL
  for (int i = 0; i < V; ++i) pack.v[i] = value;
  return pack;
}

// Two half elements in a word, the first in its low bits.
template <class S>
__device__ inline float low_half(uint32_t word) {
  return widen(S{static_cast<uint16_t>(word)});
}
template <class S>
__device__ inline float high_half(uint32_t word) {
  return widen(S{static_cast<uint16_t>(word >> 16)});
}
template <class S>
__device__ inline uint32_t two_halves(float low, float high) {
  return narrow<S>(low).bits | static_cast<uint32_t>(narrow<S>(high).bits) << 16;
}

template <int V, class S>
__device__ inline Pack<V> load(const S* from) {
  Pack<V> pack;
  if constexpr (V == 1) {
    pack.v[0] = widen(*from);
  } else if constexpr (std::is_same_v<S, float>) {
    GHOST_UNROLL
    for (int i = 0; i < V; i += 4) {
      const float4 four = load_vector<float4>(from + i);
      pack.v[i] = four.x, pack.v[i + 1] = four.y, pack.v[i + 2] = four.z, pack.v[i + 3] = four.w;
    }
  } else if constexpr (V == 4) {
    const uint2 words = load_vector<uint2>(from);
    pack = {{low_half<S>(words.x), high_half<S>(words.x), low_half<S>(words.y), high_half<S>(words.y)}};
  } else {
    const uint4 words = load_vector<uint4>(from);
    pack = {{low_half<S>(words.x), high_half<S>(words.x), low_half<S>(words.y), high_half<S>(words.y),
             low_half<S>(words.z), high_half<S>(words.z), low_half<S>(words.w), high_half<S>(words.w)}};
  }
  return pack;
}

template <int V, class S>
__device__ inline void store(S* to, const Pack<V>& pack) {
  const auto& v = pack.v;
  if constexpr (V == 1) {
    *to = narrow<S>(v[0]);
  } else if constexpr (std::is_same_v<S, float>) {
    GHOST_UNROLL
    for (int i = 0; i < V; i += 4) store_vector(to + i, make_float4(v[i], v[i + 1], v[i + 2], v[i + 3]));
  } else if constexpr (V == 4) {
    store_vector(to, make_uint2(two_halves<S>(v[0], v[1]), two_halves<S>(v[2], v[3])));
  } else {
    store_vector(to, make_uint4(two_halves<S>(v[0], v[1]), two_halves<S>(v[2], v[3]), two_halves<S>(v[4], v[5]),
                                two_halves<S>(v[6], v[7])));
  }
}

// What a load finds where the pack was stored.
template <class S, int V>
__device__ inline Pack<V> as_stored(Pack<V> pack) {
  GHOST_UNROLL
  for (int i = 0; i < V; ++i) pack.v[i] = widen(narrow<S>(pack.v[i]));
  return pack;
}

template <int V, class S>
__device__ inline void store_or_add(S* to, Pack<V> pack, bool accumulate) {
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
template <class S>
struct ConstMapOf {
  const S* data;
  int64_t pitch;
};
template <class S>
struct MapOf {
  S* data;
  int64_t pitch;
};
using ConstMap = ConstMapOf<float>;
using Map = MapOf<float>;

template <class S = float>
S* data_or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<S>() : nullptr;
}
template <class S = float>
ConstMapOf<S> const_map(const Tensor& tensor) {
  return {data_or_null<S>(tensor), tensor.pitch()};
}
template <class S = float>
MapOf<S> map_of(const Tensor& tensor) {
  return {tensor.data<S>(), tensor.pitch()};
}

// Calls visit(TypeTag<S>{}) with the type of an op's maps; undefined ones do not count.
template <class Visit>
void visit_map_type(const char* op, std::initializer_list<Tensor> maps, const Visit& visit) {
  const DType type = require_maps(op, maps);
  if (type == DType::kFloat32) return visit(TypeTag<float>{});
  visit_half(type, visit);
}

// Calls visit(TypeTag<S>{}, width) with the type and, as a constant, the vector width of an op's maps.
template <class Visit>
void visit_maps(const char* op, std::initializer_list<Tensor> maps, const Visit& visit) {
  visit_map_type(op, maps, [&]<class S>(TypeTag<S> type) {
    const int width = vector_width(maps);
    if constexpr (!std::is_same_v<S, float>) {
      if (width == 8) return visit(type, std::integral_constant<int, 8>{});
    }
    if (width == 4) return visit(type, std::integral_constant<int, 4>{});
    visit(type, std::integral_constant<int, 1>{});
  });
}

}  // namespace ghost::cuda
