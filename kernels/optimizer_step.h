// Optimizer steps over all parameters at once. Every tensor of a slot is contiguous; slots of one list share a device
// and dtype. Deterministic for any thread count.
#pragma once

#include <vector>

#include "core/dispatch.h"
#include "core/tensor.h"

namespace ghost {

struct ParameterSlot {
  Tensor value, gradient;
  Tensor first;             // momentum buffer / first moment
  Tensor second;            // second moment (Adam, AdamW)
  double weight_decay = 0;  // 0 for batch norm and biases
};

struct SgdOptions {
  double learning_rate = 0.01, momentum = 0.9;
  bool nesterov = false;
};
// g = gradient + wd * value; first = momentum * first + g; value -= lr * (nesterov ? g + momentum * first : first).
// PyTorch's form: `first` starts at 0 and the first step gives first = g.
GHOST_DECLARE_KERNEL(void sgd_step(const std::vector<ParameterSlot>& slots, const SgdOptions& options))

struct AdamOptions {
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  bool decoupled = false;  // AdamW: value *= 1 - lr * wd instead of g += wd * value
  int64_t step = 1;        // 1 at the first step: bias correction
};
// Kingma and Ba, 2015, algorithm 1; decoupled: Loshchilov and Hutter, 2019.
GHOST_DECLARE_KERNEL(void adam_step(const std::vector<ParameterSlot>& slots, const AdamOptions& options))

// average += (1 - decay) * (value - average) for each pair.
GHOST_DECLARE_KERNEL(void ema_step(const std::vector<Tensor>& values, const std::vector<Tensor>& averages,
                                   double decay))

// Square root of the sum of squares over all tensors, in double: one element float64 on the CPU. Not finite if any
// element is not.
double global_norm(const std::vector<Tensor>& gradients);
GHOST_DECLARE_KERNEL(double squared_norm(const std::vector<Tensor>& tensors))

GHOST_DECLARE_KERNEL(void scale_in_place(const std::vector<Tensor>& tensors, double factor))

}  // namespace ghost
