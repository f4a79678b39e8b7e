// Sum of two features, the residual connection; both epilogues are applied on load and the sum is written once.
//   forward   y = a + b
//   backward  da = dy, db = dy: shared, not copied
#pragma once

#include "kernels/feature.h"

namespace ghost {

Variable add(const Feature& a, const Feature& b);

GHOST_DECLARE_KERNEL(void add_forward(const Tensor& a, const Epilogue& a_epilogue, const Tensor& b,
                                      const Epilogue& b_epilogue, const Tensor& y))

}  // namespace ghost
