// Dropout (Srivastava et al., 2014), inverted: element i is kept with probability 1 - p and scaled by 1 / (1 - p).
//   forward   y[i] = u[i] >= p ? x[i] / (1 - p) : 0,   u[i] = uniform of word i % 4 of philox(seed, stream, i / 4)
//   backward  the same on dy: the mask is drawn again, nothing is saved
#pragma once

#include "kernels/feature.h"

namespace ghost {

struct DropoutOptions {
  double p = 0.2;  // [0, 1)
  uint64_t seed = 0;
  uint64_t stream = 0;  // a new one each step
  Tensor stream_at{};   // {1} int64 on x's device: where the stream stands instead, so that a CUDA graph draws anew
};

Variable dropout(const Variable& x, const DropoutOptions& options);

// y may be x. Contiguous tensors.
GHOST_DECLARE_KERNEL(void dropout_apply(const Tensor& x, const DropoutOptions& options, const Tensor& y))

}  // namespace ghost
