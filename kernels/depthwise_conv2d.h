// Depthwise convolution of NHWC maps: groups = in_channels, out_channels = in_channels * multiplier; output channel o
// reads input channel o / multiplier. 3x3 and 5x5, stride 1 and 2, are the fast cases; any odd or even kernel works.
// Formula, epilogue, gradients and moments as in conv2d.h; weight {o, 1, kh, kw}. x, z, dx may be channel views of one
// buffer as long as they do not overlap (the ghost module reads channels [0, m) and writes [m, 2m)).
#pragma once

#include "kernels/conv2d.h"

namespace ghost {

GHOST_DECLARE_KERNEL(void depthwise_conv2d_forward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight,
                                                   const Tensor& bias, const Conv2dProblem& problem, const Tensor& z,
                                                   const ChannelMoments* moments))
GHOST_DECLARE_KERNEL(void depthwise_conv2d_backward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight,
                                                    const RawGradient& dz, const Conv2dProblem& problem,
                                                    const Conv2dGradients& gradients))

// Whether conv2d hands this problem over: groups == in_channels and each group has one input channel.
bool is_depthwise(const Shape& x, const Shape& weight, int groups);

}  // namespace ghost
