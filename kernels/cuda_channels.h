// Small kernels around the vendor libraries' calls: bias, bias gradient, weight layout. Maps may be half; bias and sums
// are float32.
#pragma once

#include "core/tensor.h"

namespace ghost::cuda {

// z[.., c] += bias[c]; z of any pitch.
void add_channel_bias(const Tensor& bias, const Tensor& z);

// sums[c] = sum over all rows of dz[.., c], in a fixed order; dz of any pitch. No rows give zeros.
void channel_sums(const Tensor& dz, const Tensor& sums);

// Between the weight layouts {o, i, kh, kw} (ours) and {o, kh, kw, i} (cuDNN's for NHWC maps). Dense; source and target
// do not overlap. Both have the shape {o, i, kh, kw} and one type, or the target is float32.
void weight_to_channels_last(const Tensor& source, const Tensor& target);
void weight_from_channels_last(const Tensor& source, const Tensor& target);

}  // namespace ghost::cuda
