#include "kernels/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/op_test.h"

namespace ghost {
namespace {

using test::expect_close;
using test::kFloat32;
using test::kFloat64;
using test::random_batch_norm_state;
using test::random_tensor;

struct Statistics {
  std::vector<double> mean, variance;
};

Statistics statistics_of(const Tensor& z) {
  const std::vector<double> values = z.to_vector();
  const size_t channels = static_cast<size_t>(z.channels());
  const double count = static_cast<double>(z.pixels());
  Statistics result{std::vector<double>(channels, 0), std::vector<double>(channels, 0)};
  for (size_t i = 0; i < values.size(); ++i) result.mean[i % channels] += values[i] / count;
  for (size_t i = 0; i < values.size(); ++i)
    result.variance[i % channels] += std::pow(values[i] - result.mean[i % channels], 2) / count;
  return result;
}

struct Layer {
  bool training = true;
  Activation activation = Activation::kNone;
  double eps = 1e-5;
};

// x, gamma, beta -> y by the formula.
std::vector<double> normalised(const std::vector<Tensor>& in, const Layer& layer) {
  std::vector<double> y = in[0].to_vector();
  const std::vector<double> gamma = in[1].to_vector(), beta = in[2].to_vector();
  Statistics statistics = statistics_of(in[0]);
  if (!layer.training) {
    const BatchNormState state = random_batch_norm_state(Variable(in[1]), Variable(in[2]));
    statistics = {state.running_mean.to_vector(), state.running_var.to_vector()};
  }
  visit_activation(layer.activation, [&]<class Act>(Act) {
    for (size_t i = 0; i < y.size(); ++i) {
      const size_t c = i % gamma.size();
      const double hat = (y[i] - statistics.mean[c]) / std::sqrt(statistics.variance[c] + layer.eps);
      y[i] = Act::value(gamma[c] * hat + beta[c]);
    }
  });
  return y;
}

test::OpCase op_case(const std::string& name, const Shape& x, const Layer& layer = {}) {
  const int64_t c = x[3];
  return {.name = name,
          .inputs = {{.shape = x, .pitched = true}, {.shape = {c}, .low = 0.5, .high = 1.5}, {.shape = {c}}},
          .op =
              [=](const Variables& in) {
                const BatchNormOptions options{.eps = layer.eps, .training = layer.training};
                return materialize(batch_norm(in[0], random_batch_norm_state(in[1], in[2]), options, layer.activation));
              },
          .reference = [=](const std::vector<Tensor>& in) { return normalised(in, layer); },
          .float32_limit = 2e-5};
}

std::vector<test::OpCase> batch_norm_cases() {
  std::vector<test::OpCase> all = {
      op_case("odd_sizes", {3, 3, 5, 7}),
      op_case("many_channels", {2, 2, 3, 37}),
      op_case("evaluation", {2, 3, 3, 5}, {.training = false, .activation = Activation::kRelu}),
      op_case("keras_eps", {2, 3, 3, 5}, {.activation = Activation::kRelu, .eps = 1e-3}),
  };
  for (int activation = 0; activation <= static_cast<int>(Activation::kMish); ++activation)
    all.push_back(
        op_case(str("activation_", activation), {2, 4, 3, 4}, {.activation = static_cast<Activation>(activation)}));
  return all;
}

GHOST_OP_TESTS(BatchNormOp, batch_norm_cases());

// An epilogue on the input is applied first; its maker's gradient is that of the applied map.
GHOST_OP_TESTS(BatchNormOfBatchNorm,
               {{.name = "two_in_a_row",
                 .inputs = {{.shape = {2, 3, 4, 3}}, {.shape = {3}, .low = 0.5, .high = 1.5}, {.shape = {3}}},
                 .op = [](const Variables& in) {
                   const BatchNormState state = random_batch_norm_state(in[1], in[2]);
                   return materialize(batch_norm(batch_norm(in[0], state, {}, Activation::kHardSwish), state, {}));
                 }}});

struct Flavour {
  std::string name;
  BatchNormOptions options;
};
void PrintTo(const Flavour& flavour, std::ostream* out) { *out << flavour.name; }

class BatchNormRunning : public testing::TestWithParam<Flavour> {};

TEST_P(BatchNormRunning, StatisticsFollowTheFormula) {
  const BatchNormOptions& options = GetParam().options;
  for (const TensorOptions& like : {kFloat64, kFloat32}) {
    const BatchNormState state =
        random_batch_norm_state(Variable(Tensor::full({5}, 1, like)), Variable(Tensor::zeros({5}, like)));
    std::vector<double> mean = state.running_mean.to_vector(), variance = state.running_var.to_vector();
    for (uint64_t step = 0; step < 3; ++step) {
      const Tensor x = random_tensor({2, 3, 4, 5}, like, step, -1, 3);
      batch_norm(Variable(x), state, options);
      const Statistics batch = statistics_of(x);
      for (size_t c = 0; c < 5; ++c) {
        mean[c] = (1 - options.momentum) * mean[c] + options.momentum * batch.mean[c];
        variance[c] = (1 - options.momentum) * variance[c] + options.momentum * batch.variance[c] * 24 / 23;
      }
    }
    const double limit = like.dtype == DType::kFloat64 ? 1e-12 : 1e-6;
    expect_close(state.running_mean.to_vector(), mean, limit, "running mean");
    expect_close(state.running_var.to_vector(), variance, limit, "running variance");
  }
}

INSTANTIATE_TEST_SUITE_P(Flavours, BatchNormRunning,
                         testing::Values(Flavour{"torch", {.eps = 1e-5, .momentum = 0.1}},
                                         Flavour{"keras", {.eps = 1e-3, .momentum = 1 - 0.99}}),
                         [](const auto& info) { return info.param.name; });

TEST(BatchNorm, EvaluationLeavesRunningStatisticsAlone) {
  const BatchNormState state = random_batch_norm_state(Variable(Tensor::full({4}, 1)), Variable(Tensor::zeros({4})));
  const Tensor mean = state.running_mean.clone(), variance = state.running_var.clone();
  batch_norm(Variable(random_tensor({2, 3, 3, 4}, kFloat32, 1)), state, {.training = false});
  test::expect_same_bits(state.running_mean, mean);
  test::expect_same_bits(state.running_var, variance);
}

TEST(BatchNorm, FrozenParametersGetNoGradientAndTheInputStillDoes) {
  for (const bool training : {true, false}) {
    const BatchNormState state = random_batch_norm_state(Variable(random_tensor({4}, kFloat64, 3, 0.5, 1)),
                                                         Variable(Tensor::zeros({4}, kFloat64)));
    const Variable x(random_tensor({2, 3, 3, 4}, kFloat64, 1), true);
    const Variable trained_x(x.value(), true);
    const BatchNormState trained = {Variable(state.gamma.value(), true), Variable(state.beta.value(), true),
                                    state.running_mean.clone(), state.running_var.clone()};
    const Tensor dy = random_tensor(x.shape(), kFloat64, 2);
    const auto run = [&](const Variable& input, const BatchNormState& parameters) {
      TapeScope tape;
      const Feature y = batch_norm(input, parameters, {.training = training}, Activation::kRelu);
      tape.tape().backward(y.raw, dy);
    };
    run(trained_x, trained);
    run(x, {state.gamma, state.beta, state.running_mean.clone(), state.running_var.clone()});
    EXPECT_FALSE(state.gamma.grad().defined());
    EXPECT_TRUE(trained.gamma.grad().defined());
    expect_close(x.grad(), trained_x.grad(), 1e-12, training ? "dx in training" : "dx frozen");
  }
}

TEST(BatchNorm, OneValuePerChannelIsFinite) {
  const BatchNormState state{Variable(Tensor::full({3}, 2), true), Variable(Tensor::full({3}, 0.5), true),
                             Tensor::zeros({3}), Tensor::full({3}, 1)};
  const Variable x(random_tensor({1, 1, 1, 3}, kFloat32, 1), true);
  TapeScope tape;
  const Feature y = batch_norm(x, state, {});
  for (const double value : materialize(y).value().to_vector()) EXPECT_NEAR(value, 0.5, 1e-3);  // scale is 632 here
  EXPECT_NEAR(state.running_var.to_vector()[0], 0.9, 1e-6);
  tape.tape().backward(y.raw, Tensor::full(x.shape(), 1));
  for (const double value : x.grad().to_vector()) EXPECT_NEAR(value, 0, 1e-4);
}

TEST(BatchNorm, EmptyBatchLeavesRunningStatisticsAlone) {
  const BatchNormState state =
      random_batch_norm_state(Variable(Tensor::full({4}, 1), true), Variable(Tensor::zeros({4}), true));
  const Tensor mean = state.running_mean.clone();
  const Variable x(Tensor({0, 3, 3, 4}), true);
  TapeScope tape;
  const Feature y = batch_norm(x, state, {}, Activation::kRelu);
  test::expect_same_bits(state.running_mean, mean);
  tape.tape().backward(y.raw, Tensor({0, 3, 3, 4}));
  EXPECT_EQ(state.gamma.grad().to_vector(), std::vector<double>(4, 0));
}

// 100000 pixels of 1000 +- 1 in float32: neither the sum nor the square may lose the deviations.
TEST(BatchNorm, MomentsOfLargeMeansDoNotCancel) {
  const Tensor z = random_tensor({10, 100, 100, 3}, kFloat32, 5, 999, 1001);
  const ChannelMoments moments{Tensor({3}), Tensor({3})};
  cpu::batch_norm_moments(z, moments);
  const Statistics want = statistics_of(z);
  expect_close(moments.mean.to_vector(), want.mean, 1e-7, "mean");
  expect_close(moments.variance.to_vector(), want.variance, 1e-5, "variance");
}

TEST(BatchNorm, SameBitsForAnyThreadCount) {
  const Tensor z = random_tensor({3, 21, 17, 70}, kFloat32, 1), dy = random_tensor(z.shape(), kFloat32, 2);
  test::expect_same_for_any_threads([&] {
    const Variable x(z, true);
    const BatchNormState state = random_batch_norm_state(Variable(random_tensor({70}, kFloat32, 3, 0.5, 1.5), true),
                                                         Variable(random_tensor({70}, kFloat32, 4), true));
    TapeScope tape;
    const Feature y = batch_norm(x, state, {}, Activation::kRelu);
    tape.tape().backward(y.raw, dy);
    return std::vector<Tensor>{y.epilogue.scale, y.epilogue.shift, x.grad(), state.gamma.grad(), state.beta.grad()};
  });
}

TEST(BatchNorm, RejectsWrongShapes) {
  const BatchNormState state = random_batch_norm_state(Variable(Tensor::full({3}, 1)), Variable(Tensor::zeros({3})));
  const Variable x(random_tensor({1, 2, 2, 4}, kFloat32, 1));
  test::expect_error(ErrorKind::kUsage, "gamma has shape [3], but the map has 4 channels",
                     [&] { batch_norm(x, state, {}); });
  test::expect_error(ErrorKind::kUsage, "eps is 0", [&] {
    batch_norm(Variable(random_tensor({1, 2, 2, 3}, kFloat32, 1)), state, {.eps = 0});
  });
}

}  // namespace
}  // namespace ghost
