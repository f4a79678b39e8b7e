// What batch_norm and conv2d_batch_norm share: the statistics of one forward pass and what backward makes of them.
#pragma once

#include <functional>

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

// Has the raw map of `count` pixels computed and writes scale and shift. compute(moments) writes the map's moments in
// training, and what is to be made of them; else it gets null, and the running statistics are used.
BatchNormSaved run_batch_norm(const BatchNormState& state, const BatchNormOptions& options, Activation activation,
                              int64_t count, const Tensor& scale, const Tensor& shift,
                              const std::function<void(const ChannelMoments*)>& compute);

// The gradient of the raw z, and on the way those of gamma and beta: inputs `gamma_input` and the one after it.
RawGradient batch_norm_gradient(const Tensor& dy, const Tensor& z, const BatchNormSaved& saved, Gradients& grads,
                                int gamma_input);

}  // namespace ghost
