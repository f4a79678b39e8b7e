// train.precision on the CUDA backend: half maps as the CPU computes them, TF32 where it is asked for, and a loss scale
// that lives on the device.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/conv2d.h"
#include "kernels/linear.h"
#include "kernels/tf32.h"
#include "tests/standin/mistakes.h"
#include "tests/standin/standin.h"
#include "tests/standin/training.h"
#include "tests/support/random_tensor.h"

namespace ghost::standin {
namespace {

class StandinPrecision : public testing::TestWithParam<DType> {
 protected:
  void TearDown() override { expect_no_mistakes(); }
  bool bf16() const { return GetParam() == DType::kBFloat16; }
};

// Of all gradients as one vector, relative to its length.
double apart(const StepResult& actual, const StepResult& expected) {
  double squares = 0;
  for (size_t i = 0; i < expected.gradients.size(); ++i)
    squares += std::pow(distance(actual.gradients[i].tensor, expected.gradients[i].tensor), 2);
  return std::sqrt(squares) / norm_of(expected.gradients);
}

// Both devices round at the same places; where two sums differ in their last bits, one may round up and one down.
TEST_P(StandinPrecision, TenStepsOfAClassifierAreNearTheCpus) {
  const ClassifierTraining options{.maps = GetParam()};
  const auto on_cpu = classifier_on(Device::cpu(), options), on_cuda = classifier_on(Device::cuda(), options);
  for (uint64_t i = 0; i < 10; ++i) {
    const StepResult expected = on_cpu->observed_step(i), actual = on_cuda->observed_step(i);
    EXPECT_NEAR(actual.loss, expected.loss, (bf16() ? 0.03 : 0.01) * expected.loss) << "step " << i;
    const std::vector<NamedTensor> theirs = on_cuda->state(), ours = on_cpu->state();
    for (size_t k = 0; k < ours.size(); ++k) {
      EXPECT_EQ(theirs[k].tensor.dtype() == DType::kFloat64, ours[k].name == "optimizer.loss_scale");
      theirs[k].tensor.copy_from(ours[k].tensor);
    }
  }
}

// Gives both the weights and running statistics of a few float32 steps on the CPU, and has them take these statistics:
// an untrained network without batch statistics has values that no half type holds.
void take_trained(Training& on_cpu, Training& on_cuda, Training& source) {
  for (uint64_t i = 0; i < 20; ++i) source.step(i);
  const std::vector<NamedTensor> from = source.module().state();
  for (Training* training : {&on_cpu, &on_cuda}) {
    const std::vector<NamedTensor> to = training->module().state();
    for (size_t i = 0; i < from.size(); ++i) to[i].tensor.copy_from(from[i].tensor);
    training->module().set_training(false);
  }
}

TEST_P(StandinPrecision, WithRunningStatisticsGradientsAreNearTheCpus) {
  const ClassifierTraining options{.batch = 8, .maps = GetParam()};
  const auto on_cpu = classifier_on(Device::cpu(), options), on_cuda = classifier_on(Device::cuda(), options);
  take_trained(*on_cpu, *on_cuda, *classifier_on(Device::cpu(), {.batch = 8}));
  const StepResult expected = on_cpu->observed_step(2), actual = on_cuda->observed_step(2);
  EXPECT_NEAR(actual.loss, expected.loss, 0.01 * expected.loss);
  EXPECT_LE(apart(actual, expected), bf16() ? 0.1 : 0.05);
}

TEST_P(StandinPrecision, ADetectorsGradientsAreNearTheCpus) {
  const auto on_cpu = detector_on(Device::cpu(), false, GetParam());
  const auto on_cuda = detector_on(Device::cuda(), false, GetParam());
  take_trained(*on_cpu, *on_cuda, *detector_on(Device::cpu(), false));
  const StepResult expected = on_cpu->observed_step(1), actual = on_cuda->observed_step(1);
  EXPECT_NEAR(actual.loss, expected.loss, 0.01 * expected.loss);
  EXPECT_LE(apart(actual, expected), bf16() ? 0.1 : 0.05);
}

INSTANTIATE_TEST_SUITE_P(Halves, StandinPrecision, testing::Values(DType::kBFloat16, DType::kFloat16),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST(StandinLossScale, AnOverflowIsSkippedOnTheDeviceAndTheRunRecovers) {
  const auto training = classifier_on(Device::cuda(), {.batch = 2, .maps = DType::kFloat16});
  Optimizer& optimizer = training->optimizer();
  training->step(0);
  optimizer.take_norms();
  const Optimizer::LossScale before = optimizer.loss_scale();
  std::vector<std::vector<double>> weights;
  for (const NamedTensor& item : training->module().state()) weights.push_back(item.tensor.to_vector());
  {
    training->module().set_training(
        false);  // statistics stand still, so that all that may change is what the step does
    TapeScope tape;
    tape.tape().backward(training->loss(1), Tensor::full({1}, 1e30, {DType::kFloat32, Device::cuda()}));
    optimizer.step(0.001, 1);
    training->module().set_training(true);
  }
  const std::vector<NamedTensor> after = training->module().state();
  for (size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i].tensor.to_vector(), weights[i]) << after[i].name;
  EXPECT_EQ(optimizer.take_norms(), 0);
  EXPECT_EQ(optimizer.loss_scale().scale, before.scale / 2);
  EXPECT_EQ(optimizer.loss_scale().skipped_steps, before.skipped_steps + 1);
  training->step(2);
  EXPECT_GT(optimizer.take_norms(), 0);
  EXPECT_EQ(optimizer.loss_scale().skipped_steps, before.skipped_steps + 1);
}

TEST(StandinTf32, IsTakenWhereItIsAskedFor) {
  const auto run = [](const Device& device, bool tf32) {
    const Tf32Scope scope(tf32);
    const Variable x(test::random_tensor({2, 5, 7, 12}, {}, 1).to(device), true);
    const Variable weight(test::random_tensor({9, 12, 3, 3}, {}, 2).to(device), true);
    const Variable dense(test::random_tensor({4, 9}, {}, 3).to(device), true);
    TapeScope tape;
    const Variable z = conv2d(x, weight, {}, {}).raw;
    const Variable y = linear(Feature(Variable(z.value().rows(0, 1).reshape({35, 9}))), dense, {});
    tape.tape().backward(z, test::random_tensor(z.shape(), {}, 4).to(device));
    return std::vector<Tensor>{z.value(), x.grad(), weight.grad(), y.value()};
  };
  const std::vector<Tensor> exact = run(Device::cpu(), false), rounded = run(Device::cuda(), true);
  const std::vector<Tensor> plain = run(Device::cuda(), false);
  for (size_t i = 0; i < exact.size(); ++i) {
    const double size = norm_of({{"", exact[i]}});
    EXPECT_LE(distance(plain[i], exact[i]), 1e-5 * size) << "result " << i;
    EXPECT_LE(distance(rounded[i], exact[i]), 1e-3 * size) << "result " << i;
    EXPECT_GT(distance(rounded[i], exact[i]), 1e-5 * size) << "result " << i << " was not rounded";
  }
}

}  // namespace
}  // namespace ghost::standin
