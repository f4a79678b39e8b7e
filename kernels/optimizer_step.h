// Optimizer steps over all parameters at once. Every tensor of a slot is contiguous; slots of one list share a device
// and dtype. Deterministic for any thread count.
#pragma once

#include <vector>

#include "core/dispatch.h"
#include "core/host_device.h"
#include "core/tensor.h"

namespace ghost {

struct ParameterSlot {
  Tensor value, gradient;
  Tensor first;             // momentum buffer / first moment
  Tensor second;            // second moment (Adam, AdamW)
  double weight_decay = 0;  // 0 for batch norm and biases
};

// {6} float64 on the gradients' device, so that a step need not wait for it:
//   kNorm          the norm of all gradients
//   kClip          what they are to be multiplied with so that it is at most a bound, or 0 where it is not finite
//   kNormSum       the sum of the norms so far
//   kLossScale     what the loss was multiplied with, so that gradients in float16 do not vanish; 0: they are as they
//                  are. The others are of the gradients divided by it. A step whose gradients are not finite halves it
//                  and is skipped: it enters no sum. kScaleSteps steps that are finite double it.
//   kFiniteSteps   steps since it changed
//   kSkippedSteps  steps that were skipped so far
// At a scale of 1 there is nothing to halve: gradients that are not finite enter the sum, as without a scale.
enum GradientNorm : uint8_t { kNorm, kClip, kNormSum, kLossScale, kFiniteSteps, kSkippedSteps, kNormSize };
inline constexpr double kFirstLossScale = 65536, kMostLossScale = 16777216, kScaleSteps = 2000;

GHOST_HD inline double clip_factor(double norm, double most) {
  if (norm - norm != 0) return 0;  // infinite or NaN
  return most > 0 && norm > most ? most / norm : 1;
}

// Enters the norm of the gradients as they came. most: as in gradient_norm().
GHOST_HD inline void enter_norm(double* to, double as_they_came, double most) {
  const double scale = to[kLossScale], unscale = scale > 0 ? 1 / scale : 1;
  to[kNorm] = unscale * as_they_came;
  to[kClip] = unscale * clip_factor(to[kNorm], most);
  const bool finite = to[kClip] > 0;
  if (finite || scale <= 1) to[kNormSum] += to[kNorm];
  if (scale == 0) return;
  to[kFiniteSteps] = finite ? to[kFiniteSteps] + 1 : 0;
  if (!finite && scale > 1) {
    to[kSkippedSteps] += 1;
    to[kLossScale] = scale / 2;
  } else if (to[kFiniteSteps] == kScaleSteps) {
    to[kFiniteSteps] = 0;
    to[kLossScale] = scale < kMostLossScale ? 2 * scale : scale;
  }
}

// most: 0 for no bound. The sum of squares is in double; not finite if any element is not.
GHOST_DECLARE_KERNEL(void gradient_norm(const std::vector<Tensor>& gradients, double most, const Tensor& norm))

// What changes from step to step, as a CUDA graph of the step reads it: {kStepNumbers} float64 on the device, written
// before the step. Steps that get it leave the numbers of their options, which are the same, alone.
struct StepNumbers {
  double learning_rate = 0;
  double step_size = 0, inverse_root = 0;  // Adam: learning_rate / (1 - beta1^step), 1 / sqrt(1 - beta2^step)
  double average_share = 0;                // of a weight in its running average, 1 - decay
};
inline constexpr int64_t kStepNumbers = sizeof(StepNumbers) / sizeof(double);

// The gradient with which a loss starts its backward pass: {1} float32, `share` times the loss scale of `norm`.
GHOST_DECLARE_KERNEL(void scaled_loss_gradient(const Tensor& norm, double share, const Tensor& gradient))

// `norm` of the steps below: undefined, or what gradient_norm() wrote. Gradients are scaled by its factor (in place or
// on load); with 0 the step changes nothing.
struct SgdOptions {
  double learning_rate = 0.01, momentum = 0.9;
  bool nesterov = false;
  Tensor norm{};
  Tensor numbers{};  // StepNumbers, or undefined; read on CUDA devices only
};
// g = gradient + wd * value; first = momentum * first + g; value -= lr * (nesterov ? g + momentum * first : first).
// PyTorch's form: `first` starts at 0 and the first step gives first = g.
GHOST_DECLARE_KERNEL(void sgd_step(const std::vector<ParameterSlot>& slots, const SgdOptions& options))

struct AdamOptions {
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  bool decoupled = false;  // AdamW: value *= 1 - lr * wd instead of g += wd * value
  int64_t step = 1;        // 1 at the first step: bias correction
  Tensor norm{};
  Tensor numbers{};  // StepNumbers, or undefined; read on CUDA devices only
};
StepNumbers numbers_of(const AdamOptions& options);
// Kingma and Ba, 2015, algorithm 1; decoupled: Loshchilov and Hutter, 2019.
GHOST_DECLARE_KERNEL(void adam_step(const std::vector<ParameterSlot>& slots, const AdamOptions& options))

// average += (1 - decay) * (value - average) for each pair. numbers: as above.
GHOST_DECLARE_KERNEL(void ema_step(const std::vector<Tensor>& values, const std::vector<Tensor>& averages, double decay,
                                   const Tensor& numbers = {}))

// The norm of all tensors as one vector; waits for the device.
double global_norm(const std::vector<Tensor>& tensors);

namespace cpu {
double squared_norm(const std::vector<Tensor>& tensors);
void scale_in_place(const std::vector<Tensor>& tensors, double factor);
}  // namespace cpu

}  // namespace ghost
