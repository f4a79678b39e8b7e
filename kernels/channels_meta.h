// The meta twins of cuda_channels.h, and of what batch norm shares with the depthwise convolution.
#pragma once

#include "kernels/conv2d.h"

namespace ghost::meta {

void add_channel_bias(const Tensor& bias, const Tensor& z);
void channel_sums(const Tensor& dz, const Tensor& sums);
void weight_to_channels_last(const Tensor& source, const Tensor& target);
void weight_from_channels_last(const Tensor& source, const Tensor& target);
// Of the end of a kernel that gathers moments: parts written and read, and what becomes of them.
int64_t bytes_of_moments(const Tensor& partials, const ChannelMoments& moments);
int64_t bytes_of(const ScaleShift& to);

}  // namespace ghost::meta
