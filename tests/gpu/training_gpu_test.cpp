// Whole training steps on a card, against the CPU's from the same weights. Skipped where there is none; standin_test
// runs the same tests on the stand-ins. The single ops' tests on a card are those of kernels_test and losses_test that
// end in OnCuda.
#include <gtest/gtest.h>

#include "core/device.h"
#include "tests/standin/training.h"

namespace ghost::standin {
namespace {

// Wider than the stand-ins' 1e-5: a card's libraries add up in orders of their own, and its exponential functions round
// otherwise. Not tried on a card yet.
constexpr double kCardLimit = 1e-4;

class GpuTraining : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (const std::string reason = cuda_unavailable_reason(); !reason.empty()) GTEST_SKIP() << reason;
  }
};

TEST_P(GpuTraining, AStepOfAClassifierIsTheCpus) {
  const ClassifierTraining options{.keras = GetParam()};
  const auto on_cpu = classifier_on(Device::cpu(), options), on_cuda = classifier_on(Device::cuda(), options);
  for (uint64_t i = 0; i < 3; ++i) {
    const Difference difference = step_on_both(*on_cpu, *on_cuda, i);
    EXPECT_LE(difference.loss, kCardLimit) << "step " << i;
    EXPECT_LE(difference.whole, 0.1) << "step " << i << ", most in " << difference.where;  // a unit at its ReLU's kink
  }
  for (Training* training : {on_cpu.get(), on_cuda.get()}) training->module().set_training(false);
  const Difference difference = step_on_both(*on_cpu, *on_cuda, 3);
  EXPECT_LE(difference.loss, kCardLimit);
  EXPECT_LE(difference.worst, kCardLimit) << difference.where;
}

TEST_P(GpuTraining, AStepOfADetectorIsTheCpus) {
  const auto on_cpu = detector_on(Device::cpu(), GetParam()), on_cuda = detector_on(Device::cuda(), GetParam());
  for (Training* training : {on_cpu.get(), on_cuda.get()}) training->module().set_training(false);
  const Difference difference = step_on_both(*on_cpu, *on_cuda, 1);
  EXPECT_LE(difference.loss, kCardLimit);
  EXPECT_LE(difference.worst, kCardLimit) << difference.where;
}

std::vector<std::vector<double>> after_two_steps(bool keras) {
  const auto training = classifier_on(Device::cuda(), {.batch = 2, .keras = keras});
  for (uint64_t i = 0; i < 2; ++i) training->step(i);
  std::vector<std::vector<double>> values;
  for (const NamedTensor& item : training->state()) values.push_back(item.tensor.to_vector());
  return values;
}

// No engine and no kernel adds up in an order of its own.
TEST_P(GpuTraining, TwoRunsGiveTheSameBits) { EXPECT_TRUE(after_two_steps(GetParam()) == after_two_steps(GetParam())); }

INSTANTIATE_TEST_SUITE_P(Flavours, GpuTraining, testing::Bool(),
                         [](const auto& info) { return info.param ? "Keras" : "Torch"; });

}  // namespace
}  // namespace ghost::standin
