// SGD, Adam and AdamW over a module's parameters, and the exponential moving average of its weights. The arithmetic is
// in kernels/optimizer_step.h; here are the state tensors, by name, for checkpoints.
#pragma once

#include "core/safetensors.h"
#include "kernels/optimizer_step.h"
#include "layers/module.h"
#include "train/config.h"

namespace ghost {

class Optimizer {
 public:
  // Parameters that do not require a gradient are left alone. Weight decay acts on convolution and linear weights only.
  // scales_loss: gradients are those of the loss times a scale that adapts (kernels/optimizer_step.h).
  Optimizer(Module& module, const OptimizerConfig& config, bool scales_loss = false);

  // With which gradient a loss is to start its backward pass: `share`, times the scale. {1} float32 on the device.
  Tensor loss_gradient(double share) const;

  // A step: begin_step(), then update().
  void step(double learning_rate, double max_grad_norm);

  // Counts a step and fixes what changes with it: StepNumbers, {kStepNumbers} float64 on the host. `average_share` is
  // for who shares them (Ema).
  Tensor begin_step(double learning_rate, double average_share = 0);
  // Uses and then clears the gradients, without waiting for the device. max_grad_norm > 0: all gradients are scaled so
  // that their common norm is at most that. When a gradient is not finite no weight is changed; with a loss scale above
  // 1 the step is skipped, else kNonFinite is thrown: on the CPU here, with the parameter's name, elsewhere by the next
  // take_norms(). `numbers`: begin_step()'s on the device, for a CUDA graph to read; undefined, they go with the
  // launches.
  void update(double max_grad_norm, const Tensor& numbers = {});

  // The sum of the gradients' norms, before clipping, of the steps since the last call. Waits for the device.
  double take_norms();

  // As the last take_norms() or restore() saw them.
  struct LossScale {
    double scale = 1;
    int64_t skipped_steps = 0;  // since the run began
  };
  const LossScale& loss_scale() const { return loss_scale_; }

  int64_t steps() const { return steps_; }  // skipped ones too
  // Moments as "<prefix>first.<parameter>" and "<prefix>second.<parameter>", and "<prefix>loss_scale" where there is
  // one, to save; restore() wants the same names and shapes.
  std::vector<NamedTensor> state(const std::string& prefix) const;
  void restore(const SafetensorsReader& file, const std::string& prefix, int64_t steps);

 private:
  AdamOptions adam_options() const;  // of the present step
  void require_finite_gradients() const;
  Tensor scale_state() const;  // undefined without a loss scale

  struct Slot {
    std::string name;
    Variable parameter;
    double weight_decay;
    Tensor first, second;
  };
  std::vector<Slot> slots_;
  OptimizerConfig config_;
  Tensor norms_;  // kernels/optimizer_step.h's GradientNorm
  LossScale loss_scale_;
  bool scales_loss_ = false;
  int64_t steps_ = 0;
  double learning_rate_ = 0;  // of the present step
};

// average += (1 - decay(step)) * (weight - average), decay(step) = min(decay, (1 + step) / (10 + step)): short runs are
// not held back by the initial weights. Buffers (running statistics) are averaged too.
class Ema {
 public:
  Ema(Module& module, double decay);
  double decay(int64_t step) const;
  // numbers: of Optimizer::begin_step() with the share 1 - decay(step), on the device, or undefined.
  void update(int64_t step, const Tensor& numbers = {});
  std::vector<NamedTensor> state(const std::string& prefix) const;
  void restore(const SafetensorsReader& file, const std::string& prefix);
  // Puts the averages into the module while the scope lives; the weights come back afterwards.
  class Scope {
   public:
    explicit Scope(Ema* ema) : ema_(ema) {
      if (ema_) ema_->exchange();
    }
    ~Scope() {
      if (ema_) ema_->exchange();
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Ema* ema_;
  };

 private:
  void exchange();
  std::vector<std::string> names_;
  std::vector<Tensor> values_, averages_;
  double decay_;
};

}  // namespace ghost
