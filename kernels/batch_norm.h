// Batch normalisation (Ioffe and Szegedy, 2015) over n, h, w of an NHWC map, as an epilogue: nothing normalised is
// written.
//   forward   y = act(gamma * (z - mean) / sqrt(var + eps) + beta) = act(scale * z + shift)
//             training: mean, biased var of the batch; running += momentum * (batch - running), with the unbiased var
//             else: the running statistics
//   backward  g = dy * act'(scale * z + shift), dbeta = sum g, dgamma = sum g * (z - mean) / sqrt(var + eps),
//             dz = scale * (g - dbeta / N - (z - mean) / (var + eps)^.5 * dgamma / N)      (training; else dz = scale *
//             g)
// momentum is PyTorch's: the share of the new value (Keras momentum m is 1 - m here).
#pragma once

#include "kernels/conv2d.h"

namespace ghost {

struct BatchNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;
  bool training = true;
};

// The parameters and buffers of one batch norm layer, [c] each.
struct BatchNormState {
  Variable gamma, beta;
  Tensor running_mean, running_var;  // written in training
};

// Mean and biased variance of z per channel, for a z whose producer did not gather them.
GHOST_DECLARE_KERNEL(void batch_norm_moments(const Tensor& z, const ChannelMoments& moments))

// From moments that are there; moments.then is not looked at.
GHOST_DECLARE_KERNEL(void batch_norm_scale_shift(const ChannelMoments& moments, const ScaleShift& to))

// dgamma, dbeta and the coefficients [3, c] of dz from dy and z. training: whether mean and var depend on z.
// moments: those used in the forward. dz_gradient.coefficients is the output; its other members are inputs.
GHOST_DECLARE_KERNEL(void batch_norm_backward(const RawGradient& dz_gradient, const ChannelMoments& moments,
                                              const Tensor& gamma, double eps, bool training, const Tensor& dgamma,
                                              const Tensor& dbeta))

// Batch norm and activation of any feature. Composed; the convolutions' own form is conv2d_batch_norm.
Feature batch_norm(const Feature& z, const BatchNormState& state, const BatchNormOptions& options,
                   Activation activation = Activation::kNone);

// Where conv2d_batch_norm writes: a channel view of a buffer that several convolutions fill (ghost module, concat).
struct FeatureSlot {
  Tensor z;             // {n, oh, ow, o}
  Tensor scale, shift;  // [o]
};

// Convolution (dense, grouped or depthwise, no bias), batch norm, activation: one node on the tape. Saves what
// it read of x (convolution_input), z, and the per-channel moments. slot: where to write, or nullptr for new tensors.
Feature conv2d_batch_norm(const Feature& x, const Variable& weight, const BatchNormState& state,
                          const Conv2dOptions& conv_options, const BatchNormOptions& options, Activation activation,
                          const FeatureSlot* slot = nullptr);

}  // namespace ghost
