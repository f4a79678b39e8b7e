// What batch_norm and conv2d_batch_norm share: the statistics of one forward pass and what backward makes of them.
#pragma once

#include "kernels/batch_norm.h"

namespace ghost {

// Throws kUsage unless the layer's parameters and buffers are [channels].
void check_batch_norm(const char* op, int64_t channels, const BatchNormState& state, const BatchNormOptions& options);

// What a batch norm keeps for its backward pass.
struct BatchNormSaved {
  Epilogue epilogue;       // scale and shift used, and the activation
  ChannelMoments moments;  // those of the batch, or the running ones
  Tensor gamma;
  double eps = 0;
  bool training = false;
};

// Tensors for the batch's moments in training, else the running statistics.
ChannelMoments batch_norm_moments_for(const BatchNormState& state, const BatchNormOptions& options);

// Writes scale and shift (once `moments` are there) and updates the running statistics in training. count = n * h * w.
BatchNormSaved finish_batch_norm(const ChannelMoments& moments, int64_t count, const BatchNormState& state,
                                 const BatchNormOptions& options, Activation activation, const Tensor& scale,
                                 const Tensor& shift);

// The gradient of the raw z, and on the way those of gamma and beta: inputs `gamma_input` and the one after it.
RawGradient batch_norm_gradient(const Tensor& dy, const Tensor& z, const BatchNormSaved& saved, Gradients& grads,
                                int gamma_input);

}  // namespace ghost
