#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

namespace ghost {
namespace {

Tensor restored(const SafetensorsReader& file, const std::string& name, const Tensor& like) {
  const Tensor stored = file.read(name);
  GHOST_CHECK_AS(kWeights, stored.shape() == like.shape() && stored.dtype() == like.dtype(), file.path(), ": tensor '",
                 name, "' is ", stored.dtype(), ' ', stored.shape(), ", this run needs ", like.dtype(), ' ',
                 like.shape());
  return stored.to(like.device());
}

}  // namespace

Optimizer::Optimizer(Module& module, const OptimizerConfig& config, bool scales_loss)
    : config_(config), scales_loss_(scales_loss) {
  const bool adam = config.name != "sgd";
  for (const NamedParameter& parameter : module.parameters()) {
    if (!parameter.variable.requires_grad()) continue;
    const Tensor& value = parameter.variable.value();
    Slot slot{parameter.name, parameter.variable, parameter.decays() ? config.weight_decay : 0, {}, {}};
    slot.first = Tensor::zeros(value.shape(), value.options());
    if (adam) slot.second = Tensor::zeros(value.shape(), value.options());
    slots_.push_back(std::move(slot));
  }
  const std::vector<NamedParameter> all = module.parameters();
  const Device device = all.empty() ? Device::cpu() : all[0].variable.device();
  norms_ = Tensor::zeros({kNormSize}, {DType::kFloat64, device});
  if (!scales_loss_) return;
  norms_.rows(kLossScale, 1).fill(kFirstLossScale);
  loss_scale_.scale = kFirstLossScale;
}

Tensor Optimizer::loss_gradient(double share) const {
  const Device device = norms_.device();
  if (!scales_loss_) return Tensor::full({1}, share, {DType::kFloat32, device});
  Tensor gradient({1}, {DType::kFloat32, device});
  GHOST_DISPATCH(device, scaled_loss_gradient(norms_, share, gradient));
  return gradient;
}

void Optimizer::step(double learning_rate, double max_grad_norm) {
  begin_step(learning_rate);
  update(max_grad_norm);
}

AdamOptions Optimizer::adam_options() const {
  return {learning_rate_, config_.beta1, config_.beta2, config_.eps, config_.name == "adamw", steps_, norms_};
}

Tensor Optimizer::begin_step(double learning_rate, double average_share) {
  ++steps_;
  learning_rate_ = learning_rate;
  StepNumbers numbers = numbers_of(adam_options());
  numbers.average_share = average_share;
  return Tensor::from<double>({numbers.learning_rate, numbers.step_size, numbers.inverse_root, numbers.average_share},
                              {kStepNumbers});
}

void Optimizer::update(double max_grad_norm, const Tensor& numbers) {
  GHOST_ASSERT(steps_ > 0, "optimizer: update() before begin_step()");
  std::vector<ParameterSlot> slots;
  std::vector<Tensor> gradients;
  for (Slot& slot : slots_) {
    const Tensor& gradient = slot.parameter.grad();
    if (!gradient.defined()) continue;
    slots.push_back({slot.parameter.value(), gradient, slot.first, slot.second, slot.weight_decay});
    gradients.push_back(gradient);
  }
  if (slots.empty()) return;
  const Device device = slots[0].value.device();
  GHOST_DISPATCH(device, gradient_norm(gradients, max_grad_norm, norms_));
  if (device.is_cpu()) require_finite_gradients();

  if (config_.name == "sgd") {
    const SgdOptions options{learning_rate_, config_.momentum, config_.nesterov, norms_, numbers};
    GHOST_DISPATCH(device, sgd_step(slots, options));
  } else {
    AdamOptions options = adam_options();
    options.numbers = numbers;
    GHOST_DISPATCH(device, adam_step(slots, options));
  }
  for (Slot& slot : slots_) slot.parameter.clear_grad();
}

void Optimizer::require_finite_gradients() const {
  if (std::isfinite(norms_.data<double>()[kNormSum])) return;
  const double norm = norms_.data<double>()[kNorm];
  norms_.rows(kNormSum, 1).fill(0);
  for (const Slot& slot : slots_)
    GHOST_CHECK_AS(kNonFinite, !slot.parameter.grad().defined() || std::isfinite(global_norm({slot.parameter.grad()})),
                   "the gradient of ", slot.name, " is not finite");
  GHOST_FAIL(kNonFinite, "the norm of all gradients overflows (", norm, ")");
}

double Optimizer::take_norms() {
  const std::vector<double> norms = norms_.to_vector();
  const double sum = norms[kNormSum];
  norms_.rows(kNormSum, 1).fill(0);
  if (scales_loss_) loss_scale_ = {norms[kLossScale], static_cast<int64_t>(norms[kSkippedSteps])};
  GHOST_CHECK_AS(kNonFinite, std::isfinite(sum), "a gradient is not finite");
  return sum;
}

Tensor Optimizer::scale_state() const {
  return scales_loss_ ? norms_.rows(kLossScale, kNormSize - kLossScale) : Tensor();
}

std::vector<NamedTensor> Optimizer::state(const std::string& prefix) const {
  std::vector<NamedTensor> tensors;
  // From the host: CUDA checks float32 tensors only before they are saved.
  if (scales_loss_) tensors.push_back({prefix + "loss_scale", scale_state().to(Device::cpu())});
  for (const Slot& slot : slots_) {
    tensors.push_back({prefix + "first." + slot.name, slot.first});
    if (slot.second.defined()) tensors.push_back({prefix + "second." + slot.name, slot.second});
  }
  return tensors;
}

void Optimizer::restore(const SafetensorsReader& file, const std::string& prefix, int64_t steps) {
  for (Slot& slot : slots_) {
    slot.first.copy_from(restored(file, prefix + "first." + slot.name, slot.first));
    if (slot.second.defined()) slot.second.copy_from(restored(file, prefix + "second." + slot.name, slot.second));
  }
  if (scales_loss_) {
    scale_state().copy_from(restored(file, prefix + "loss_scale", scale_state()));
    const std::vector<double> norms = norms_.to_vector();
    loss_scale_ = {norms[kLossScale], static_cast<int64_t>(norms[kSkippedSteps])};
  }
  steps_ = steps;
}

Ema::Ema(Module& module, double decay) : decay_(decay) {
  const auto add = [this](const std::string& name, const Tensor& value) {
    names_.push_back(name);
    values_.push_back(value);
    averages_.push_back(value.clone());
  };
  for (const NamedParameter& parameter : module.parameters()) add(parameter.name, parameter.variable.value());
  for (const NamedTensor& buffer : module.buffers()) add(buffer.name, buffer.tensor);
}

double Ema::decay(int64_t step) const {
  const double count = static_cast<double>(step);
  return std::min(decay_, (1 + count) / (10 + count));
}

void Ema::update(int64_t step, const Tensor& numbers) {
  GHOST_DISPATCH(values_[0].device(), ema_step(values_, averages_, decay(step), numbers));
}

std::vector<NamedTensor> Ema::state(const std::string& prefix) const {
  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < names_.size(); ++i) tensors.push_back({prefix + names_[i], averages_[i]});
  return tensors;
}

void Ema::restore(const SafetensorsReader& file, const std::string& prefix) {
  for (size_t i = 0; i < names_.size(); ++i) averages_[i].copy_from(restored(file, prefix + names_[i], averages_[i]));
}

// Contents change places, so that every reference to a weight stays valid.
void Ema::exchange() {
  for (size_t i = 0; i < values_.size(); ++i) {
    const Tensor kept = values_[i].clone();
    values_[i].copy_from(averages_[i]);
    averages_[i].copy_from(kept);
  }
}

}  // namespace ghost
