// The CUDA backend trains as the CPU does: loss, gradients and everything that a step changes. Each step begins from
// the same weights, statistics and moments: left to themselves two runs part within a few steps, because a network
// whose batch norms see few values multiplies rounding a thousandfold per step. The CPU's float32 parts from its own
// float64 as fast.
#include "tests/standin/training.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/allocator.h"
#include "tests/standin/mistakes.h"
#include "tests/standin/standin.h"
#include "tests/support/expect.h"

namespace ghost::standin {
namespace {

constexpr double kLimit = 1e-5;

class StandinTraining : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { set({.eager = GetParam() ? 0.5 : 0}); }
  void TearDown() override {
    set({});
    expect_no_mistakes();
  }
};

TEST_P(StandinTraining, StepsOfAClassifierAreTheCpus) {
  const ClassifierTraining options{.keras = GetParam()};
  const auto on_cpu = classifier_on(Device::cpu(), options), on_cuda = classifier_on(Device::cuda(), options);
  const uint64_t steps = GetParam() ? 3 : 10;
  int kinks = 0;
  for (uint64_t i = 0; i < steps; ++i) {
    const Difference difference = step_on_both(*on_cpu, *on_cuda, i);
    EXPECT_LE(difference.loss, kLimit) << "step " << i;
    // A unit within rounding of its ReLU's kink may fall to either side; its gradient, one of sixteen that a channel
    // has on the last maps, is then there or not, and all that lie before it notice.
    EXPECT_LE(difference.whole, 0.1) << "step " << i << ", most in " << difference.where;
    kinks += difference.whole > kLimit;
  }
  EXPECT_LE(kinks, 3) << "of " << steps << " steps are further apart than " << kLimit;
}

// Without the statistics of the batch nothing multiplies rounding, so every tensor is held to the limit by itself.
TEST_P(StandinTraining, WithRunningStatisticsEveryGradientIsTheCpus) {
  const ClassifierTraining options{.batch = 3, .keras = GetParam()};
  const auto on_cpu = classifier_on(Device::cpu(), options), on_cuda = classifier_on(Device::cuda(), options);
  for (Training* training : {on_cpu.get(), on_cuda.get()}) training->module().set_training(false);
  const Difference difference = step_on_both(*on_cpu, *on_cuda, 2);
  EXPECT_LE(difference.loss, kLimit);
  EXPECT_LE(difference.worst, kLimit) << difference.where;
}

TEST_P(StandinTraining, StepsOfADetectorAreTheCpus) {
  const auto on_cpu = detector_on(Device::cpu(), GetParam()), on_cuda = detector_on(Device::cuda(), GetParam());
  // Eight values are all that the last batch norms see.
  if (!GetParam()) EXPECT_LE(step_on_both(*on_cpu, *on_cuda, 0).loss, 1e-2);
  for (Training* training : {on_cpu.get(), on_cuda.get()}) training->module().set_training(false);
  const Difference difference = step_on_both(*on_cpu, *on_cuda, 1);
  EXPECT_LE(difference.loss, kLimit);
  EXPECT_LE(difference.worst, kLimit) << difference.where;
}

INSTANTIATE_TEST_SUITE_P(Flavours, StandinTraining, testing::Bool(),
                         [](const auto& info) { return info.param ? "Keras" : "Torch"; });

// The device finds it out by itself; the host hears of it when it next asks.
TEST(StandinOptimizer, AStepWithAGradientThatIsNotFiniteChangesNothing) {
  const auto training = classifier_on(Device::cuda(), {.batch = 2});
  training->step(0);
  EXPECT_GT(training->optimizer().take_norms(), 0);
  TapeScope tape;
  tape.backward(training->loss(1));
  training->module().parameters()[5].variable.grad().fill(std::nan(""));
  std::vector<Tensor> before;
  for (const NamedTensor& item : training->state()) before.push_back(item.tensor.to(Device::cpu()));
  training->optimizer().step(0.1, 1);
  const std::vector<NamedTensor> after = training->state();
  for (size_t i = 0; i < after.size(); ++i)
    EXPECT_EQ(after[i].tensor.to_vector(), before[i].to_vector()) << after[i].name;
  test::expect_error(ErrorKind::kNonFinite, "a gradient is not finite", [&] { training->optimizer().take_norms(); });
  training->step(2);
  EXPECT_GT(training->optimizer().take_norms(), 0);
}

TEST(StandinMemory, AStepAsksNothingAndNothingIsLeft) {
  {
    const auto training = classifier_on(Device::cuda(), {.batch = 2});
    for (uint64_t i = 0; i < 2; ++i) training->step(i);
    const Counts before = counts();
    for (uint64_t i = 2; i < 5; ++i) training->step(i);
    EXPECT_EQ((counts() - before).allocations, 0);
    EXPECT_EQ((counts() - before).frees, 0);
  }
  EXPECT_EQ(memory_stats(Device::cuda()).in_use, 0);
  release_cached(Device::cuda());
  EXPECT_EQ(live_blocks(), 0);
  expect_no_mistakes();
}

}  // namespace
}  // namespace ghost::standin
