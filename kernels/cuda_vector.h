// Loads and stores of several elements at once in CUDA kernels: load_vector<float4>(p). The address must be a multiple
// of the vector's alignment; hardware traps where it is not, and tests/simt reports the line.
#pragma once

#include "core/launch.h"

namespace ghost {

template <class Vector, class T>
__device__ inline Vector load_vector(const T* p) {
  GHOST_CHECK_ALIGNED(p, alignof(Vector));
  return *reinterpret_cast<const Vector*>(p);
}

// Through the read-only cache: for memory that no thread of this launch writes.
template <class Vector, class T>
__device__ inline Vector load_vector_readonly(const T* p) {
  GHOST_CHECK_ALIGNED(p, alignof(Vector));
  return __ldg(reinterpret_cast<const Vector*>(p));
}

template <class Vector, class T>
__device__ inline void store_vector(T* p, const Vector& value) {
  GHOST_CHECK_ALIGNED(p, alignof(Vector));
  *reinterpret_cast<Vector*>(p) = value;
}

}  // namespace ghost
