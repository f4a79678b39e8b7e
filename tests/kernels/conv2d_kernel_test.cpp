// The dense convolution's CPU kernels by themselves: epilogues applied on load against materialised inputs, gradients
// given as RawGradient, pitched memory, moments, and equal bits for any number of threads.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/conv2d.h"
#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"

namespace ghost::test {
namespace {

struct Problem {
  const char* name;
  Shape x, weight;
  Conv2dProblem problem;
};

// Panels that cross images, end in the middle of a tile, and are cut by columns.
const Problem kProblems[] = {
    {"pointwise", {3, 13, 11, 20}, {36, 20, 1, 1}, {}},
    {"pointwise_groups", {2, 7, 5, 12}, {8, 3, 1, 1}, {1, 4, {}}},
    {"pointwise_112_channels", {2, 17, 15, 112}, {104, 112, 1, 1}, {}},
    {"pointwise_few_pixels", {5, 1, 1, 120}, {200, 120, 1, 1}, {}},
    {"pointwise_some_pixels", {5, 2, 3, 120}, {200, 120, 1, 1}, {}},
    {"pointwise_groups_few_pixels", {3, 2, 2, 6}, {9, 2, 1, 1}, {1, 3, {}}},
    {"kernel_3_few_pixels", {1, 2, 2, 40}, {6, 40, 3, 3}, {1, 1, {1, 1, 1, 1}}},
    {"kernel_3_stride_2", {2, 15, 14, 6}, {17, 6, 3, 3}, {2, 1, {1, 1, 1, 1}}},
    {"kernel_5_groups_2", {2, 9, 8, 6}, {10, 3, 5, 5}, {1, 2, {2, 2, 2, 2}}},
    {"kernel_3_one_sided_padding", {2, 8, 8, 5}, {4, 5, 3, 3}, {2, 1, {0, 0, 1, 1}}},
};

Shape output_shape(const Problem& p) {
  const Padding& pad = p.problem.padding;
  return {p.x[0], (p.x[1] + pad.top + pad.bottom - p.weight[2]) / p.problem.stride + 1,
          (p.x[2] + pad.left + pad.right - p.weight[3]) / p.problem.stride + 1, p.weight[0]};
}

class Conv2dKernel : public testing::TestWithParam<std::tuple<Problem, DType>> {
 protected:
  const Problem& problem() const { return std::get<0>(GetParam()); }
  TensorOptions options() const { return {std::get<1>(GetParam()), Device::cpu()}; }
  double limit() const { return options().dtype == DType::kFloat32 ? 3e-5 : 1e-12; }
  Tensor random(const Shape& shape, uint64_t seed, double low = -1, double high = 1) const {
    return random_tensor(shape, options(), seed, low, high);
  }
  Epilogue epilogue(bool scaled, Activation activation, bool gated, const Shape& map) const {
    Epilogue result;
    if (scaled) {
      result.scale = random({map[3]}, 11, 0.5, 2);
      result.shift = random({map[3]}, 12);
    }
    result.activation = activation;
    if (gated) result.gate = random({map[0], map[3]}, 13, 0, 1);
    return result;
  }
  Tensor materialized(const Tensor& z, const Epilogue& epilogue) const {
    const Tensor y(z.shape(), z.options());
    cpu::epilogue_forward(z, epilogue, y);
    return y;
  }

  struct Gradients {
    Tensor dx, dweight, dbias;
  };
  Gradients backward(const Tensor& x, const Epilogue& epilogue, const Tensor& weight, const RawGradient& dz) const {
    Gradients result{Tensor(x.shape(), options()), Tensor(weight.shape(), options()),
                     Tensor({weight.dim(0)}, options())};
    cpu::conv2d_backward(x, epilogue, weight, dz, problem().problem,
                         {&result.dx, false, &result.dweight, &result.dbias});
    return result;
  }
  void expect_close_gradients(const Gradients& got, const Gradients& want, const std::string& what) const {
    expect_close(got.dx, want.dx, limit(), what + " dx");
    expect_close(got.dweight, want.dweight, limit(), what + " dweight");
    expect_close(got.dbias, want.dbias, limit(), what + " dbias");
  }
};

TEST_P(Conv2dKernel, AppliesEveryEpilogueOnLoad) {
  const Tensor x = random(problem().x, 1, -4, 4), weight = random(problem().weight, 2);
  const Tensor bias = random({problem().weight[0]}, 3), dy = random(output_shape(problem()), 4);
  for (int variant = 0; variant < 4; ++variant) {
    for (int act = 0; act <= static_cast<int>(Activation::kMish); ++act) {
      const Epilogue e = epilogue(variant & 1, static_cast<Activation>(act), variant & 2, problem().x);
      const Tensor y = materialized(x, e);
      const GuardedTensor view(x);
      const Tensor want(dy.shape(), options()), got(dy.shape(), options());
      cpu::conv2d_forward(y, {}, weight, bias, problem().problem, want, nullptr);
      cpu::conv2d_forward(view.view(), e, weight, bias, problem().problem, got, nullptr);
      const std::string what = str("activation ", act, " variant ", variant);
      expect_close(got, want, limit(), what);
      expect_close_gradients(backward(view.view(), e, weight, {dy, {}, {}, {}}),
                             backward(y, {}, weight, {dy, {}, {}, {}}), what);
    }
  }
}

TEST_P(Conv2dKernel, TakesRawGradientsAsTheyAre) {
  const Tensor x = random(problem().x, 1), weight = random(problem().weight, 2);
  const Shape out = output_shape(problem());
  const Tensor dy = random(out, 4), z = random(out, 5, -4, 4), coefficients = random({3, out[3]}, 6);
  for (int act = 0; act <= static_cast<int>(Activation::kMish); ++act) {
    for (int variant = 0; variant < 4; ++variant) {
      const GuardedTensor dy_view(dy), z_view(z);
      RawGradient gradient{dy_view.view(), z_view.view(),
                           epilogue(variant & 1, static_cast<Activation>(act), false, out),
                           variant & 2 ? coefficients : Tensor()};
      const Tensor dz = materialize(gradient);
      expect_close_gradients(backward(x, {}, weight, gradient), backward(x, {}, weight, {dz, {}, {}, {}}),
                             str("activation ", act, " variant ", variant));
    }
  }
}

TEST_P(Conv2dKernel, WritesAndAddsIntoChannelViews) {
  const Tensor x = random(problem().x, 1), weight = random(problem().weight, 2);
  const Shape out = output_shape(problem());
  const Tensor dy = random(out, 4), before = random(problem().x, 5);
  const Tensor dense(out, options());
  cpu::conv2d_forward(x, {}, weight, {}, problem().problem, dense, nullptr);
  const GuardedTensor z(Tensor::zeros(out, options()));
  cpu::conv2d_forward(x, {}, weight, {}, problem().problem, z.view(), nullptr);
  expect_same_bits(z.view(), dense, "z");
  z.expect_guard_untouched("forward");

  const Gradients plain = backward(x, {}, weight, {dy, {}, {}, {}});
  const Tensor want = before.clone();
  want.add_in_place(plain.dx);
  const GuardedTensor dx(before), dy_view(dy);
  Tensor target = dx.view();
  cpu::conv2d_backward(x, {}, weight, {dy_view.view(), {}, {}, {}}, problem().problem,
                       {&target, true, nullptr, nullptr});
  expect_close(dx.view(), want, limit(), "accumulated dx");
  dx.expect_guard_untouched("backward");
  Tensor dweight(weight.shape(), options());
  cpu::conv2d_backward(x, {}, weight, {dy_view.view(), {}, {}, {}}, problem().problem,
                       {nullptr, false, &dweight, nullptr});
  expect_close(dweight, plain.dweight, limit(), "dweight alone");
}

TEST_P(Conv2dKernel, MomentsEqualTwoPasses) {
  const Tensor x = random(problem().x, 1), weight = random(problem().weight, 2);
  const Shape out = output_shape(problem());
  // A mean a thousand times the deviation: a plain sum of squares would lose the variance in float32.
  const Tensor bias = random({out[3]}, 3, 500, 1000), z(out, options());
  const ChannelMoments moments{Tensor({out[3]}, options()), Tensor({out[3]}, options())};
  cpu::conv2d_forward(x, {}, weight, bias, problem().problem, z, &moments);
  const std::vector<double> values = z.to_vector();
  const size_t channels = static_cast<size_t>(out[3]), rows = values.size() / channels;
  std::vector<double> mean(channels), variance(channels);
  for (size_t i = 0; i < values.size(); ++i) mean[i % channels] += values[i] / static_cast<double>(rows);
  for (size_t i = 0; i < values.size(); ++i)
    variance[i % channels] += std::pow(values[i] - mean[i % channels], 2) / static_cast<double>(rows);
  expect_close(moments.mean.to_vector(), mean, options().dtype == DType::kFloat32 ? 2e-7 : 1e-13, "mean");
  expect_close(moments.variance.to_vector(), variance, options().dtype == DType::kFloat32 ? 2e-4 : 1e-10, "variance");
}

TEST_P(Conv2dKernel, SameBitsForAnyThreads) {
  const Shape out = output_shape(problem());
  const Tensor x = random(problem().x, 1), weight = random(problem().weight, 2), bias = random({out[3]}, 3);
  const RawGradient gradient{random(out, 4), random(out, 5), epilogue(true, Activation::kRelu, false, out),
                             random({3, out[3]}, 6)};
  const Epilogue e = epilogue(true, Activation::kRelu, true, problem().x);
  expect_same_for_any_threads([&]() -> std::vector<Tensor> {
    const Tensor z(out, options());
    const ChannelMoments moments{Tensor({out[3]}, options()), Tensor({out[3]}, options())};
    cpu::conv2d_forward(x, e, weight, bias, problem().problem, z, &moments);
    const Gradients gradients = backward(x, e, weight, gradient);
    return {z, moments.mean, moments.variance, gradients.dx, gradients.dweight, gradients.dbias};
  });
}

TEST_P(Conv2dKernel, EmptyBatchGivesZeroGradients) {
  Shape none = problem().x, out = output_shape(problem());
  none.set(0, 0);
  out.set(0, 0);
  const Tensor x(none, options()), dy(out, options()), weight = random(problem().weight, 2);
  const ChannelMoments moments{Tensor({out[3]}, options()), Tensor({out[3]}, options())};
  cpu::conv2d_forward(x, {}, weight, {}, problem().problem, dy, &moments);
  const Gradients gradients = backward(x, {}, weight, {dy, {}, {}, {}});
  for (const Tensor& tensor : {gradients.dweight, gradients.dbias, moments.mean, moments.variance})
    EXPECT_EQ(tensor.to_vector(), std::vector<double>(static_cast<size_t>(tensor.numel())));
}

INSTANTIATE_TEST_SUITE_P(Kernels, Conv2dKernel,
                         testing::Combine(testing::ValuesIn(kProblems),
                                          testing::Values(DType::kFloat32, DType::kFloat64)),
                         [](const testing::TestParamInfo<std::tuple<Problem, DType>>& info) {
                           return str(std::get<0>(info.param).name, '_', std::get<1>(info.param));
                         });

// Large enough for many panels and chunks, whose shares are added up in a fixed order.
TEST(Conv2dLarge, SameBitsForAnyThreadsAndPitch) {
  const TensorOptions options{DType::kFloat32, Device::cpu()};
  const Shape out{4, 40, 41, 24};
  const Tensor x = random_tensor({4, 40, 41, 16}, options, 1), weight = random_tensor({24, 16, 1, 1}, options, 2);
  const Tensor dy = random_tensor(out, options, 3);
  const auto run = [&](const Tensor& input, const Tensor& gradient) -> std::vector<Tensor> {
    const Tensor z(out, options);
    Tensor dx(x.shape(), options), dweight(weight.shape(), options), dbias({24}, options);
    cpu::conv2d_forward(input, {}, weight, {}, {}, z, nullptr);
    cpu::conv2d_backward(input, {}, weight, {gradient, {}, {}, {}}, {}, {&dx, false, &dweight, &dbias});
    return {z, dx, dweight, dbias};
  };
  expect_same_for_any_threads([&] { return run(x, dy); });
  const GuardedTensor x_view(x), dy_view(dy);
  const std::vector<Tensor> dense = run(x, dy), pitched = run(x_view.view(), dy_view.view());
  for (size_t i = 0; i < dense.size(); ++i) expect_same_bits(pitched[i], dense[i], str("result ", i));
}

}  // namespace
}  // namespace ghost::test
