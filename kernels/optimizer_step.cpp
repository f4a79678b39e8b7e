#include "kernels/optimizer_step.h"

#include <cmath>

namespace ghost {

double global_norm(const std::vector<Tensor>& tensors) {
  if (tensors.empty()) return 0;
  const Device device = tensors[0].device();
  const Tensor norm = Tensor::zeros({kNormSize}, {DType::kFloat64, device});
  GHOST_DISPATCH(device, gradient_norm(tensors, 0, norm));
  return norm.to_vector()[kNorm];
}

StepNumbers numbers_of(const AdamOptions& options) {
  const auto step = static_cast<double>(options.step);
  return {.learning_rate = options.learning_rate,
          .step_size = options.learning_rate / (1 - std::pow(options.beta1, step)),
          .inverse_root = 1 / std::sqrt(1 - std::pow(options.beta2, step))};
}

void cpu::gradient_norm(const std::vector<Tensor>& gradients, double most, const Tensor& norm) {
  enter_norm(norm.data<double>(), std::sqrt(squared_norm(gradients)), most);
}

void cpu::scaled_loss_gradient(const Tensor& norm, double share, const Tensor& gradient) {
  gradient.fill(share * norm.data<double>()[kLossScale]);
}

}  // namespace ghost
