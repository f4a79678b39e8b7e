// The host code around cuDNN and cuBLASLt on shapes that GhostNet does not have: odd sizes, padding on one side,
// groups, biases, channel views. Results are the CPU's.
#include <gtest/gtest.h>

#include <array>

#include "core/tape.h"
#include "kernels/add.h"
#include "kernels/conv2d.h"
#include "kernels/linear.h"
#include "tests/standin/mistakes.h"
#include "tests/standin/standin.h"
#include "tests/standin/training.h"
#include "tests/support/random_tensor.h"

namespace ghost::standin {
namespace {

using test::random_tensor;

struct ConvolutionCase {
  const char* name;
  Shape x, weight;
  Conv2dOptions options;
  bool bias = false, view = false;  // view: x is a channel slice at an odd channel of a wider map
  bool twice = false;               // x feeds two convolutions, so the second adds into its gradient
};

class StandinConvolution : public testing::TestWithParam<ConvolutionCase> {};

std::vector<Tensor> run(const ConvolutionCase& c, const Device& device) {
  const TensorOptions host{};
  Tensor x = random_tensor(c.x, host, 1).to(device);
  if (c.view) {
    const Tensor wide = Tensor::zeros({c.x[0], c.x[1], c.x[2], c.x[3] + 4}, x.options());
    wide.channels(1, c.x[3]).copy_from(x);
    x = wide.channels(1, c.x[3]);
  }
  const Variable input(x, true), weight(random_tensor(c.weight, host, 2).to(device), true);
  const Variable bias = c.bias ? Variable(random_tensor({c.weight[0]}, host, 3).to(device), true) : Variable();
  TapeScope tape;
  Variable last;
  for (int i = 0; i < (c.twice ? 2 : 1); ++i) {
    const Variable z = materialize(conv2d({input, {}}, weight, bias, c.options, Activation::kSwish));
    last = last.defined() ? materialize(add({z, {}}, {last, {}})) : z;
  }
  tape.tape().backward(last, random_tensor(last.shape(), host, 4).to(device));
  std::vector<Tensor> results{last.value(), input.grad(), weight.grad()};
  if (c.bias) results.push_back(bias.grad());
  return results;
}

TEST_P(StandinConvolution, IsTheCpus) {
  const std::vector<Tensor> expected = run(GetParam(), Device::cpu()), actual = run(GetParam(), Device::cuda());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_LE(distance(actual[i], expected[i]), 1e-5 * norm_of({{"", expected[i]}})) << "result " << i;
  expect_no_mistakes();
}

const ConvolutionCase kCases[] = {
    {.name = "Pointwise", .x = {2, 5, 7, 6}, .weight = {9, 6, 1, 1}},
    {.name = "OddStride2", .x = {2, 7, 9, 3}, .weight = {5, 3, 3, 3}, .options = {.stride = 2}, .bias = true},
    {.name = "SamePadding",
     .x = {1, 8, 6, 4},
     .weight = {8, 4, 3, 3},
     .options = {.stride = 2, .padding = PaddingMode::kSame}},
    {.name = "Kernel5", .x = {1, 6, 5, 4}, .weight = {3, 4, 5, 5}, .bias = true, .twice = true},
    {.name = "Groups", .x = {2, 4, 4, 8}, .weight = {6, 4, 3, 3}, .options = {.groups = 2}, .twice = true},
    {.name = "ChannelView", .x = {2, 3, 3, 7}, .weight = {4, 7, 1, 1}, .bias = true, .view = true},
    {.name = "OnePixel", .x = {1, 1, 1, 5}, .weight = {7, 5, 1, 1}, .twice = true},
};
INSTANTIATE_TEST_SUITE_P(Cases, StandinConvolution, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

std::vector<Tensor> run_linear(int64_t rows, int64_t in, int64_t out, bool with_bias, const Device& device) {
  const Variable x(random_tensor({rows, in}, {}, 1).to(device), true);
  const Variable weight(random_tensor({out, in}, {}, 2).to(device), true);
  const Variable bias = with_bias ? Variable(random_tensor({out}, {}, 3).to(device), true) : Variable();
  TapeScope tape;
  const Variable y = linear({x, {}}, weight, bias);
  tape.tape().backward(y, random_tensor({rows, out}, {}, 4).to(device));
  std::vector<Tensor> results{y.value(), x.grad(), weight.grad()};
  if (with_bias) results.push_back(bias.grad());
  return results;
}

TEST(StandinLinear, IsTheCpus) {
  for (const auto& [rows, in, out] : {std::array<int64_t, 3>{1, 1, 1}, {3, 7, 5}, {8, 16, 12}}) {
    for (const bool bias : {false, true}) {
      const auto expected = run_linear(rows, in, out, bias, Device::cpu());
      const auto actual = run_linear(rows, in, out, bias, Device::cuda());
      for (size_t i = 0; i < expected.size(); ++i)
        EXPECT_LE(distance(actual[i], expected[i]), 1e-5 * norm_of({{"", expected[i]}}))
            << rows << 'x' << in << 'x' << out << ", result " << i;
    }
  }
  expect_no_mistakes();
}

}  // namespace
}  // namespace ghost::standin
