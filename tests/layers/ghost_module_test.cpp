#include "layers/ghost_module.h"

#include <gtest/gtest.h>

#include "kernels/optimizer_step.h"
#include "layers/initialise.h"
#include "layers/models/model.h"
#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"

namespace ghost {
namespace {

using test::random_tensor;

const TensorOptions kDouble{DType::kFloat64, Device::cpu()};

// The module once more from atoms: each convolution materialised, channels put together by hand.
std::vector<double> from_atoms(const Module& module, const Variable& x, int64_t out, const Conv2dOptions& cheap) {
  std::vector<Variable> p;
  for (const NamedParameter& parameter : module.parameters()) p.push_back(parameter.variable);
  const auto normed = [](const Feature& z, const Variable& gamma, const Variable& beta) {
    return materialize(
        batch_norm(z, {gamma, beta, Tensor::zeros(gamma.shape(), kDouble), Tensor::zeros(gamma.shape(), kDouble)}, {},
                   Activation::kRelu));
  };
  const Tensor first = normed(conv2d(x, p[0], Variable(), {}), p[1], p[2]).value();
  const Tensor second = normed(conv2d(Variable(first), p[3], Variable(), cheap), p[4], p[5]).value();
  const std::vector<double> a = first.to_vector(), b = second.to_vector();
  std::vector<double> y;
  for (int64_t pixel = 0; pixel < first.pixels(); ++pixel) {
    for (int64_t c = 0; c < out; ++c) {
      const int64_t m = first.channels();
      y.push_back(c < m ? a[static_cast<size_t>(pixel * m + c)]
                        : b[static_cast<size_t>(pixel * second.channels() + c - m)]);
    }
  }
  return y;
}

struct Case {
  int64_t out;
  int ratio, cheap_kernel;
};

class GhostModuleTest : public testing::TestWithParam<Case> {};

TEST_P(GhostModuleTest, EqualsItsAtoms) {
  const auto [out, ratio, cheap_kernel] = GetParam();
  GhostModule module({.in_channels = 6, .out_channels = out, .ratio = ratio, .cheap_kernel_size = cheap_kernel}, {});
  initialise(module, Initialiser::kKaimingFanOut, 5);
  module.to(DType::kFloat64);
  const Variable x(random_tensor({2, 5, 4, 6}, kDouble, 1), true);
  TapeScope tape;
  const Variable y = materialize(module.forward(x));
  ASSERT_EQ(y.shape(), (Shape{2, 5, 4, out}));
  const int64_t primary = (out + ratio - 1) / ratio;
  test::expect_close(y.value().to_vector(), from_atoms(module, x, out, {.groups = static_cast<int>(primary)}), 1e-12);

  // The gradient of <g, y> along a direction of x, against a finite difference.
  const Tensor g = random_tensor(y.shape(), kDouble, 2), direction = random_tensor(x.shape(), kDouble, 3);
  tape.tape().backward(y, g);
  const auto dot = [](const Tensor& a, const Tensor& b) {
    const std::vector<double> u = a.to_vector(), v = b.to_vector();
    double sum = 0;
    for (size_t i = 0; i < u.size(); ++i) sum += u[i] * v[i];
    return sum;
  };
  const auto at = [&](double step) {
    const NoGradScope no_grad;
    const Tensor moved = direction.clone();
    cpu::scale_in_place({moved}, step);
    moved.add_in_place(x.value());
    return dot(materialize(module.forward(Variable(moved))).value(), g);
  };
  EXPECT_NEAR(dot(x.grad(), direction), (at(1e-6) - at(-1e-6)) / 2e-6, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Ratios, GhostModuleTest,
                         testing::Values(Case{8, 2, 3}, Case{7, 2, 3}, Case{9, 3, 3}, Case{10, 4, 5}, Case{1, 2, 3}));

TEST(GhostModule, RefusesARatioWithoutCheapOperation) {
  test::expect_error(ErrorKind::kUsage, "ratio 1",
                     [] { GhostModule({.in_channels = 4, .out_channels = 8, .ratio = 1}, {}); });
}

TEST(GhostBottleneck, KeepsOrHalvesTheMap) {
  const Variable x(random_tensor({2, 9, 8, 8}, {}, 1));
  for (const Flavour flavour : {Flavour::kTorch, Flavour::kKeras}) {
    GhostBottleneck halving({.in_channels = 8,
                             .hidden_channels = 12,
                             .out_channels = 16,
                             .kernel_size = 5,
                             .stride = 2,
                             .reduced_channels = 4},
                            numbers_of(flavour));
    initialise(halving, Initialiser::kKaimingFanOut, 1);
    EXPECT_EQ(halving.forward(x).shape(), (Shape{2, 5, 4, 16}));
    GhostBottleneck keeping({.in_channels = 8, .hidden_channels = 12, .out_channels = 8}, numbers_of(flavour));
    initialise(keeping, Initialiser::kKaimingFanOut, 1);
    EXPECT_EQ(keeping.forward(x).shape(), x.shape());
  }
}

}  // namespace
}  // namespace ghost
