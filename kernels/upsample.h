// Nearest-neighbour enlargement by two. It commutes with a pointwise epilogue, so the raw map is enlarged and the
// epilogue goes along.
//   forward   z[n, i, j, c] = x[n, i / 2, j / 2, c]
//   backward  dx[n, i, j, c] = the sum of dz over its four pixels
#pragma once

#include "kernels/batch_norm.h"

namespace ghost {

// {n, h, w, c} -> {n, 2h, 2w, c}; x carries no gate. slot: where to write, with x's scale and shift, or nullptr for new
// memory. Where x has them in the slot already, nothing is copied.
Feature upsample2x(const Feature& x, const FeatureSlot* slot = nullptr);

// Any pitches.
GHOST_DECLARE_KERNEL(void upsample2x_forward(const Tensor& x, const Tensor& z))
GHOST_DECLARE_KERNEL(void upsample2x_backward(const Tensor& dz, const Tensor& dx, bool accumulate_dx))

}  // namespace ghost
