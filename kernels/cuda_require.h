// What a CUDA function asks of its tensors. Plain C++, for kernels and for the vendor libraries' callers.
#pragma once

#include <initializer_list>

#include "core/tensor.h"

namespace ghost::cuda {

// Of maps: all float32, all bfloat16 or all float16; that type. Undefined ones do not count.
inline DType require_maps(const char* op, std::initializer_list<Tensor> maps) {
  const DType type = maps.begin()->dtype();
  for (const Tensor& map : maps) {
    GHOST_CHECK(sum_type(map.dtype()) == DType::kFloat32, op,
                ": CUDA computes on maps in float32, bfloat16 or float16, got ", map.dtype(), ' ', map.shape(),
                ". Convert it with to(DType::kFloat32), or use device=cpu");
    GHOST_CHECK(!map.defined() || map.dtype() == type, op, ": maps are ", type, " and ", map.dtype(),
                "; they must agree");
  }
  return type;
}

inline void require_float32(const char* op, std::initializer_list<Tensor> tensors) {
  for (const Tensor& tensor : tensors) {
    GHOST_CHECK(tensor.dtype() == DType::kFloat32, op, ": CUDA computes in float32, got a ", tensor.dtype(), " tensor ",
                tensor.shape(), ". Convert it with to(DType::kFloat32), or use device=cpu");
  }
}

}  // namespace ghost::cuda
