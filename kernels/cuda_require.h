// What a CUDA function asks of its tensors. Plain C++, for kernels and for the vendor libraries' callers.
#pragma once

#include <initializer_list>

#include "core/tensor.h"

namespace ghost::cuda {

inline void require_float32(const char* op, std::initializer_list<Tensor> tensors) {
  for (const Tensor& tensor : tensors) {
    GHOST_CHECK(tensor.dtype() == DType::kFloat32, op, ": CUDA computes in float32, got a ", tensor.dtype(), " tensor ",
                tensor.shape(), ". Convert it with to(DType::kFloat32), or use device=cpu");
  }
}

}  // namespace ghost::cuda
