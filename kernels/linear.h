// Fully connected layer.
//   forward   y[i,o] = sum_k x[i,k] weight[o,k] + bias[o]
//   backward  dx = dy weight, dweight = dy^T x, dbias = sum_i dy; deterministic
#pragma once

#include "kernels/feature.h"

namespace ghost {

// x {n, k} or {n, 1, 1, k} (epilogue applied); weight {o, k}; bias {o} or undefined. Returns {n, o}.
Variable linear(const Feature& x, const Variable& weight, const Variable& bias);

GHOST_DECLARE_KERNEL(void linear_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y))
// Null outputs are not computed; accumulate_dx: dx += instead of =.
GHOST_DECLARE_KERNEL(void linear_backward(const Tensor& x, const Tensor& weight, const Tensor& dy, Tensor* dx,
                                          bool accumulate_dx, Tensor* dweight, Tensor* dbias))

}  // namespace ghost
