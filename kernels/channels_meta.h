// The meta twins of cuda_channels.h, and of what batch norm shares with the depthwise convolution.
#pragma once

#include "kernels/conv2d.h"

namespace ghost::meta {

void add_channel_bias(const Tensor& bias, const Tensor& z);
void channel_sums(const Tensor& dz, const Tensor& sums);
void weight_to_channels_last(const Tensor& source, const Tensor& target);
void weight_from_channels_last(const Tensor& source, const Tensor& target);
void combine_moments(const Tensor& partials, const ChannelMoments& moments);

}  // namespace ghost::meta
