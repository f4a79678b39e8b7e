#include "train/schedule.h"

#include <gtest/gtest.h>

namespace ghost {
namespace {

// bubbliiiing's recipe: 300 epochs, SGD 1e-2 to 1e-4 for batch 64; 16 pictures a batch up to epoch 50, then 8.
TEST(Schedule, YoloxCosineMatchesThePublishedRecipe) {
  const OptimizerConfig optimizer{.learning_rate = 1e-2, .min_learning_rate = 1e-4, .scale_with_batch = true};
  const ScheduleConfig schedule{.name = "yolox_cosine", .step_epochs = {}};
  const auto rate = [&](int64_t batch, double epoch) {
    return learning_rate_at(schedule, learning_rate_range(optimizer, batch), 300, epoch);
  };
  const std::vector<std::pair<double, double>> frozen{{0, 2.5e-4}, {1, 5.0e-4},    {2, 1.25e-3},
                                                      {3, 2.5e-3}, {25, 2.463e-3}, {49, 2.341e-3}};
  for (const auto& [epoch, want] : frozen) EXPECT_NEAR(rate(16, epoch), want, 6e-4 * want) << epoch;
  const std::vector<std::pair<double, double>> unfrozen{{50, 1.1671e-3},  {100, 9.2255e-4}, {150, 5.8992e-4},
                                                        {200, 2.6979e-4}, {250, 5.894e-5},  {285, 1.25e-5},
                                                        {299, 1.25e-5}};
  for (const auto& [epoch, want] : unfrozen) EXPECT_NEAR(rate(8, epoch), want, 6e-5 * want) << epoch;
}

// The rate changes between epochs only, whatever the warm-up keys say.
TEST(Schedule, YoloxCosineStaysWithinAnEpoch) {
  const ScheduleConfig schedule{
      .name = "yolox_cosine", .warmup_epochs = 5, .warmup_start_factor = 0.5, .step_epochs = {}};
  const LearningRateRange range{1e-2, 1e-4};
  for (const int64_t epochs : {1, 2, 3, 10, 100}) {
    double before = 0;
    for (int64_t epoch = 0; epoch < epochs; ++epoch) {
      const auto start = static_cast<double>(epoch);
      const double rate = learning_rate_at(schedule, range, epochs, start);
      EXPECT_EQ(learning_rate_at(schedule, range, epochs, start + 0.99), rate) << epochs << ' ' << epoch;
      EXPECT_GE(rate, 1e-4);
      EXPECT_LE(rate, 1e-2 * (1 + 1e-12));
      if (epoch <= std::min<int64_t>(3, std::max<int64_t>(1, epochs / 20))) {
        EXPECT_GT(rate, before);
      }
      before = rate;
    }
    if (epochs > 2) {
      EXPECT_DOUBLE_EQ(before, 1e-4) << epochs;
    }
  }
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule, {1e-7, 1e-9}, 100, 0), 1e-6) << "the start is at least 1e-6";
}

TEST(Schedule, TenStepsFromBaseToFinal) {
  const ScheduleConfig schedule{.name = "step", .warmup_epochs = 0, .step_epochs = {}};
  const LearningRateRange range{1e-2, 1e-4};
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule, range, 300, 0), 1e-2);
  EXPECT_NEAR(learning_rate_at(schedule, range, 300, 30) / learning_rate_at(schedule, range, 300, 29.9), 0.59948, 1e-5);
  EXPECT_NEAR(learning_rate_at(schedule, range, 300, 299), 1e-4, 1e-12);
}

TEST(Schedule, StepsAtGivenEpochs) {
  const ScheduleConfig schedule{.name = "step", .warmup_epochs = 0, .step_epochs = {3, 5}, .step_gamma = 0.5};
  const LearningRateRange range{0.8, 0};
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule, range, 10, 2.99), 0.8);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule, range, 10, 3), 0.4);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule, range, 10, 9), 0.2);
}

TEST(Schedule, CosineWithWarmUp) {
  const ScheduleConfig schedule{.warmup_epochs = 2, .warmup_start_factor = 0.1, .step_epochs = {}};
  const LearningRateRange range{1.0, 0.2};
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule, range, 10, 0), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule, range, 10, 1), 0.55);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule, range, 10, 2), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule, range, 10, 6), 0.6);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule, range, 10, 10), 0.2);
}

TEST(Schedule, WarmUpLongerThanTrainingIsCut) {
  const ScheduleConfig schedule{.warmup_epochs = 20, .warmup_start_factor = 0, .step_epochs = {}};
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule, {1.0, 0.0}, 4, 2), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule, {1.0, 0.0}, 4, 4), 1.0);
}

TEST(Schedule, ScaledRatesStayWithinLimits) {
  const OptimizerConfig sgd{.learning_rate = 1e-2, .min_learning_rate = 1e-4, .scale_with_batch = true};
  EXPECT_DOUBLE_EQ(learning_rate_range(sgd, 1024).base, 5e-2);
  EXPECT_DOUBLE_EQ(learning_rate_range(sgd, 1).final, 5e-6);
  const OptimizerConfig adam{
      .name = "adam", .learning_rate = 1e-3, .min_learning_rate = 1e-5, .scale_with_batch = true};
  EXPECT_DOUBLE_EQ(learning_rate_range(adam, 16).base, 3e-4);
  EXPECT_DOUBLE_EQ(learning_rate_range(adam, 4096).base, 1e-3);
  EXPECT_DOUBLE_EQ(learning_rate_range(adam, 16).final, 3e-6);
  OptimizerConfig adamw = adam;
  adamw.name = "adamw";
  EXPECT_DOUBLE_EQ(learning_rate_range(adamw, 48).base, 7.5e-4);
  adamw.scale_with_batch = false;
  EXPECT_DOUBLE_EQ(learning_rate_range(adamw, 4096).base, 1e-3) << "unscaled is untouched";
}

}  // namespace
}  // namespace ghost
