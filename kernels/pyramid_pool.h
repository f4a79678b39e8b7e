// Spatial pyramid pooling as YOLOv4 has it (Bochkovskiy et al., 2020, section 3.4): maxima over windows of several
// sizes, stride 1, beside the map itself, in one buffer, so that the concat copies nothing.
//   forward   y = [max over k0 x k0, max over k1 x k1, ..., x], x with its epilogue; outside counts as -infinity
//   backward  dx: dy of the map itself, and each maximum's dy goes to its first place in row order
// A NaN in a window wins, as in PyTorch.
#pragma once

#include <vector>

#include "kernels/feature.h"

namespace ghost {

// {n, h, w, c} -> {n, h, w, (sizes + 1) c}; odd window sizes, at most 255.
Variable pyramid_pool(const Feature& x, const std::vector<int>& sizes);

// y's last c channels hold the map; the others are written, window by window. places: int32 {n, h, w, sizes * c}, each
// maximum's pixel within its image, or undefined where no backward will come.
GHOST_DECLARE_KERNEL(void pyramid_pool_forward(const Tensor& y, const std::vector<int>& sizes, const Tensor& places))
GHOST_DECLARE_KERNEL(void pyramid_pool_backward(const Tensor& dy, const Tensor& places, const Tensor& dx,
                                                bool accumulate_dx))

}  // namespace ghost
