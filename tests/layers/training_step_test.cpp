// A whole network's step: its gradient against finite differences, its bits for any thread count, and no copies.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/optimizer_step.h"
#include "layers/models/model.h"
#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"

namespace ghost {
namespace {

std::unique_ptr<Classifier> tiny_model(Flavour flavour) {
  return make_model({.width = 0.25, .num_classes = 5, .dropout = 0.2, .flavour = flavour, .seed = 7});
}

// Random values for all parameters that start at a constant, so that no gradient is zero by symmetry.
void shake(Module& model) {
  uint64_t seed = 100;
  for (const NamedParameter& parameter : model.parameters()) {
    const Tensor& value = parameter.variable.value();
    ++seed;
    if (!parameter.decays()) value.add_in_place(test::random_tensor(value.shape(), value.options(), seed, -0.3, 0.3));
  }
}

double dot(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector(), y = b.to_vector();
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

// The derivative of <coefficients, logits> along a random direction of each parameter, by both ways. Parameters before
// a batch norm that undoes them have derivative 0; the limit is relative to the largest of the network.
void check_gradients(Flavour flavour) {
  const auto model = tiny_model(flavour);
  shake(*model);
  model->to(DType::kFloat64);
  const TensorOptions options{DType::kFloat64, Device::cpu()};
  const Variable images(test::random_tensor({3, 64, 64, 3}, options, 1));
  const Tensor coefficients = test::random_tensor({3, 5}, options, 2);
  const auto functional = [&] {
    const NoGradScope no_grad;
    return dot(model->forward(images, {.seed = 3}).value(), coefficients);
  };
  {
    TapeScope tape;
    const Variable logits = model->forward(images, {.seed = 3});
    tape.tape().backward(logits, coefficients);
  }
  const std::vector<NamedParameter> parameters = model->parameters();
  constexpr double kStep = 2e-8;  // so small that hardly ever a unit crosses its kink on the way
  constexpr size_t kEvery = 5;
  for (size_t i = 0; i < parameters.size(); i += kEvery) {
    const Tensor& value = parameters[i].variable.value();
    ASSERT_TRUE(parameters[i].variable.grad().defined()) << parameters[i].name;
    const Tensor direction = test::random_tensor(value.shape(), options, 1000 + i);
    const Tensor before = value.clone();
    const auto at = [&](double step) {
      const Tensor move = direction.clone();
      cpu::scale_in_place({move}, step);
      value.copy_from(before);
      value.add_in_place(move);
      const double result = functional();
      value.copy_from(before);
      return result;
    };
    const double numeric = (at(kStep) - at(-kStep)) / (2 * kStep);
    const double analytic = dot(parameters[i].variable.grad(), direction);
    EXPECT_NEAR(analytic, numeric, 2e-5 * std::max(1.0, std::abs(numeric))) << parameters[i].name;
  }
}

TEST(TrainingStep, GradientsOfTheTorchFlavourMatchFiniteDifferences) { check_gradients(Flavour::kTorch); }
TEST(TrainingStep, GradientsOfTheKerasFlavourMatchFiniteDifferences) { check_gradients(Flavour::kKeras); }

// Two steps of SGD; returns everything they changed.
std::vector<Tensor> two_steps() {
  const auto model = make_model({.width = 0.5, .num_classes = 5, .seed = 7});
  const Variable images(test::random_tensor({4, 72, 72, 3}, {}, 1));
  const Tensor coefficients = test::random_tensor({4, 5}, {}, 2);
  std::vector<ParameterSlot> slots;
  for (const NamedParameter& parameter : model->parameters()) {
    const Tensor& value = parameter.variable.value();
    slots.push_back(
        {.value = value, .gradient = {}, .first = Tensor::zeros(value.shape()), .second = {}, .weight_decay = 1e-4});
  }
  for (uint64_t step = 0; step < 2; ++step) {
    TapeScope tape;
    const Variable logits = model->forward(images, {.seed = 3, .stream = step});
    tape.tape().backward(logits, coefficients);
    const std::vector<NamedParameter> parameters = model->parameters();
    for (size_t i = 0; i < slots.size(); ++i) slots[i].gradient = parameters[i].variable.grad();
    cpu::sgd_step(slots, {.learning_rate = 0.01, .nesterov = true});
    model->clear_gradients();
  }
  std::vector<Tensor> result;
  for (const NamedTensor& item : model->state()) result.push_back(item.tensor);
  return result;
}

TEST(TrainingStep, IsTheSameBitsForAnyThreadCount) { test::expect_same_for_any_threads(two_steps); }

TEST(TrainingStep, ConcatAndSliceCopyNothing) {
  const auto model = make_model({.num_classes = 5});
  const Variable images(test::random_tensor({2, 64, 64, 3}, {}, 1));
  const Tensor coefficients = test::random_tensor({2, 5}, {}, 2);
  const int64_t before = copied_bytes();
  TapeScope tape;
  const Variable logits = model->forward(images);
  EXPECT_EQ(copied_bytes(), before) << "forward";
  tape.tape().backward(logits, coefficients);
  EXPECT_EQ(copied_bytes(), before) << "backward";
}

}  // namespace
}  // namespace ghost
