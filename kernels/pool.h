// Global average pooling, epilogue applied on load.
//   forward   y[n,0,0,c] = mean_{h,w} x[n,h,w,c]
//   backward  dx[n,h,w,c] = dy[n,0,0,c] / (h*w)
#pragma once

#include "kernels/feature.h"

namespace ghost {

Variable global_average_pool(const Feature& x);  // {n, h, w, c} -> {n, 1, 1, c}; h * w >= 1

GHOST_DECLARE_KERNEL(void global_average_pool_forward(const Tensor& z, const Epilogue& epilogue, const Tensor& y))
GHOST_DECLARE_KERNEL(void global_average_pool_backward(const Tensor& dy, const Tensor& dx, bool accumulate_dx))

}  // namespace ghost
