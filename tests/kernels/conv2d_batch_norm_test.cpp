#include <gtest/gtest.h>

#include "kernels/add.h"
#include "kernels/batch_norm.h"
#include "kernels/ghost_concat.h"
#include "tests/support/op_test.h"

namespace ghost {
namespace {

using test::expect_close;
using test::random_batch_norm_state;
using test::random_tensor;

struct ConvNormCase {
  std::string name;
  Shape x, weight;
  Conv2dOptions conv = {};
  bool training = true;
  Activation activation = Activation::kRelu;
  Activation x_activation = Activation::kRelu;  // of the batch norm in front, whose epilogue the convolution applies
};

void PrintTo(const ConvNormCase& c, std::ostream* out) { *out << c.name; }

// Variables of one run: x, weight, gamma and beta of the batch norm in front, gamma and beta.
Variables variables_of(const ConvNormCase& c, DType dtype) {
  const TensorOptions options{dtype, Device::cpu()};
  const int64_t in = c.x[3], out = c.weight[0];
  return {Variable(random_tensor(c.x, options, 1), true),
          Variable(random_tensor(c.weight, options, 2), true),
          Variable(random_tensor({in}, options, 3, 0.5, 1.5), true),
          Variable(random_tensor({in}, options, 4), true),
          Variable(random_tensor({out}, options, 5, 0.5, 1.5), true),
          Variable(random_tensor({out}, options, 6), true)};
}

Feature input_of(const ConvNormCase& c, const Variables& v) {
  return batch_norm(v[0], random_batch_norm_state(v[2], v[3]), {}, c.x_activation);
}

struct Result {
  Tensor y, running_mean, running_var;
  std::vector<Tensor> gradients;
};

Result run(const ConvNormCase& c, DType dtype, bool fused) {
  const Variables v = variables_of(c, dtype);
  const BatchNormState state = random_batch_norm_state(v[4], v[5]);
  const BatchNormOptions options{.training = c.training};
  TapeScope tape;
  const Feature x = input_of(c, v);
  const Feature y = fused ? conv2d_batch_norm(x, v[1], state, c.conv, options, c.activation)
                          : batch_norm(conv2d(x, v[1], Variable(), c.conv), state, options, c.activation);
  const Variable out = materialize(y);
  tape.tape().backward(out, random_tensor(out.shape(), out.value().options(), 8));
  Result result{out.value(), state.running_mean, state.running_var, {}};
  for (const Variable& variable : v) result.gradients.push_back(variable.grad());
  return result;
}

class Conv2dBatchNorm : public testing::TestWithParam<ConvNormCase> {};

TEST_P(Conv2dBatchNorm, EqualsConvolutionThenBatchNorm) {
  for (const DType dtype : {DType::kFloat64, DType::kFloat32}) {
    const double limit = dtype == DType::kFloat64 ? 1e-9 : 1e-4;
    const Result got = run(GetParam(), dtype, true), want = run(GetParam(), dtype, false);
    expect_close(got.y, want.y, limit, "y");
    expect_close(got.running_mean, want.running_mean, limit, "running mean");
    expect_close(got.running_var, want.running_var, limit, "running variance");
    const char* names[] = {"x", "weight", "gamma in front", "beta in front", "gamma", "beta"};
    for (size_t i = 0; i < got.gradients.size(); ++i)
      expect_close(got.gradients[i], want.gradients[i], limit, str("gradient of ", names[i], " in ", dtype));
  }
}

std::vector<ConvNormCase> cases() {
  const Conv2dOptions depthwise6{.groups = 6},
      depthwise6_stride_2{.stride = 2, .padding = PaddingMode::kSame, .groups = 6};
  std::vector<ConvNormCase> all = {
      {.name = "pointwise", .x = {2, 4, 5, 6}, .weight = {10, 6, 1, 1}},
      {.name = "dense_3x3", .x = {2, 6, 5, 4}, .weight = {5, 4, 3, 3}, .conv = {.stride = 2}},
      {.name = "grouped", .x = {2, 6, 5, 4}, .weight = {6, 2, 3, 3}, .conv = {.groups = 2}},
      {.name = "depthwise_5x5", .x = {2, 8, 7, 6}, .weight = {6, 1, 5, 5}, .conv = depthwise6_stride_2},
      {.name = "multiplier_2", .x = {2, 5, 5, 6}, .weight = {12, 1, 3, 3}, .conv = depthwise6},
  };
  for (int activation = 0; activation <= static_cast<int>(Activation::kMish); ++activation)
    all.push_back({.name = str("activation_", activation),
                   .x = {2, 5, 6, 6},
                   .weight = {6, 1, 3, 3},
                   .conv = depthwise6,
                   .activation = static_cast<Activation>(activation),
                   .x_activation = static_cast<Activation>(activation)});
  for (size_t i = 0, count = all.size(); i < count; ++i) {
    all.push_back(all[i]);
    all.back().name += "_frozen";
    all.back().training = false;
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Table, Conv2dBatchNorm, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

test::OpCase op_case(const std::string& name, const Shape& x, const Shape& weight, const Conv2dOptions& conv,
                     bool training) {
  const int64_t c = weight[0];
  return {.name = name,
          .inputs = {{.shape = x, .pitched = true},
                     {.shape = weight},
                     {.shape = {c}, .low = 0.5, .high = 1.5},
                     {.shape = {c}}},
          .op = [=](const Variables& in) {
            return materialize(conv2d_batch_norm(in[0], in[1], random_batch_norm_state(in[2], in[3]), conv,
                                                 {.training = training}, Activation::kRelu));
          }};
}

GHOST_OP_TESTS(Conv2dBatchNormOp,
               {
                   op_case("depthwise", {2, 4, 5, 3}, {3, 1, 3, 3}, {.groups = 3}, true),
                   op_case("depthwise_frozen", {2, 4, 5, 3}, {3, 1, 3, 3}, {.groups = 3}, false),
                   op_case("depthwise_stride_2", {1, 7, 6, 3}, {3, 1, 5, 5}, {.stride = 2, .groups = 3}, true),
                   op_case("pointwise", {2, 3, 3, 4}, {5, 4, 1, 1}, {}, true),
               });

// The ghost module: primary convolution into channels [0, 4) of a buffer, the cheap one from there into [4, 8). Against
// two maps of their own that are added: both halves then get the same gradient.
TEST(Conv2dBatchNorm, GhostModuleInOneBufferEqualsTwoMaps) {
  const TensorOptions options{DType::kFloat64, Device::cpu()};
  const Tensor dy = random_tensor({2, 5, 6, 4}, options, 9);
  const auto run_module = [&](bool in_buffer) {
    const Variables v = {Variable(random_tensor({2, 5, 6, 3}, options, 1), true),
                         Variable(random_tensor({4, 3, 1, 1}, options, 2), true),
                         Variable(random_tensor({4, 1, 3, 3}, options, 3), true),
                         Variable(random_tensor({4}, options, 4, 0.5, 1.5), true),
                         Variable(random_tensor({4}, options, 5), true)};
    const FeatureBuffer buffer({2, 5, 6, 8}, options);
    const FeatureSlot slots[] = {buffer.slot(0, 4), buffer.slot(4, 4)};
    TapeScope tape;
    const Feature primary = conv2d_batch_norm(v[0], v[1], random_batch_norm_state(v[3], v[4]), {}, {},
                                              Activation::kRelu, in_buffer ? &slots[0] : nullptr);
    const Feature cheap = conv2d_batch_norm(primary, v[2], random_batch_norm_state(v[3], v[4]), {.groups = 4}, {},
                                            Activation::kRelu, in_buffer ? &slots[1] : nullptr);
    std::vector<Tensor> result = {materialize(primary).value(), materialize(cheap).value()};
    if (in_buffer) {
      const Tensor both({2, 5, 6, 8}, options);
      both.channels(0, 4).copy_from(dy);
      both.channels(4, 4).copy_from(dy);
      const int64_t copied = copied_bytes();
      const Feature joined = buffer.join({primary, cheap});
      EXPECT_EQ(joined.raw.value().storage(), slots[0].z.storage());
      tape.tape().backward(joined.raw, both);
      EXPECT_EQ(copied_bytes(), copied) << "concat and slice copy nothing";
    } else {
      tape.tape().backward(add(primary, cheap), dy);
    }
    for (const Variable& variable : v) result.push_back(variable.grad());
    return result;
  };
  const std::vector<Tensor> got = run_module(true), want = run_module(false);
  for (size_t i = 0; i < got.size(); ++i) expect_close(got[i], want[i], 1e-10, str("tensor ", i));
}

// What needs no gradient costs nothing: here only gamma and beta learn.
TEST(Conv2dBatchNorm, RespectsWhatNeedsAGradient) {
  const ConvNormCase c{.name = "", .x = {2, 5, 6, 6}, .weight = {6, 1, 3, 3}, .conv = {.groups = 6}};
  const Result all = run(c, DType::kFloat64, true);
  for (const size_t learns : {0u, 1u, 4u}) {
    const Variables v = variables_of(c, DType::kFloat64);
    Variables fixed;
    for (size_t i = 0; i < v.size(); ++i) fixed.emplace_back(v[i].value(), i == learns);
    TapeScope tape;
    const Variable out = materialize(conv2d_batch_norm(
        input_of(c, fixed), fixed[1], random_batch_norm_state(fixed[4], fixed[5]), c.conv, {}, c.activation));
    tape.tape().backward(out, random_tensor(out.shape(), out.value().options(), 8));
    for (size_t i = 0; i < v.size(); ++i) EXPECT_EQ(fixed[i].grad().defined(), i == learns) << i;
    expect_close(fixed[learns].grad(), all.gradients[learns], 1e-9, str("gradient of input ", learns));
  }
}

// A residual connection: the convolution's input gradient is added to what the sum left there.
TEST(Conv2dBatchNorm, AddsToAnExistingInputGradient) {
  const ConvNormCase c{.name = "", .x = {2, 5, 6, 6}, .weight = {6, 1, 3, 3}, .conv = {.groups = 6}};
  const auto gradient_of_x = [&](bool fused) {
    const Variables v = variables_of(c, DType::kFloat64);
    TapeScope tape;
    const Feature x = input_of(c, v);
    const BatchNormState state = random_batch_norm_state(v[4], v[5]);
    const Variable sum = add(x, fused ? conv2d_batch_norm(x, v[1], state, c.conv, {}, c.activation)
                                      : batch_norm(conv2d(x, v[1], Variable(), c.conv), state, {}, c.activation));
    tape.tape().backward(sum, random_tensor(c.x, {DType::kFloat64, Device::cpu()}, 8));
    return v[0].grad();
  };
  expect_close(gradient_of_x(true), gradient_of_x(false), 1e-10, "gradient of x");
}

TEST(Conv2dBatchNorm, EmptyBatch) {
  const Variables v = {Variable(Tensor({0, 5, 5, 4}), true), Variable(random_tensor({4, 1, 3, 3}, {}, 1), true),
                       Variable(Tensor::full({4}, 1), true), Variable(Tensor::zeros({4}), true)};
  TapeScope tape;
  const Feature y =
      conv2d_batch_norm(v[0], v[1], random_batch_norm_state(v[2], v[3]), {.groups = 4}, {}, Activation::kRelu);
  tape.tape().backward(y.raw, Tensor({0, 5, 5, 4}));
  EXPECT_EQ(v[1].grad().to_vector(), std::vector<double>(36, 0));
}

TEST(Conv2dBatchNorm, RejectsASlotOfAnotherSize) {
  const FeatureBuffer buffer({1, 4, 4, 8}, {});
  const FeatureSlot slot = buffer.slot(0, 8);
  const Variable x(Tensor::zeros({1, 4, 4, 4})), weight(Tensor::zeros({4, 1, 3, 3}));
  const BatchNormState state = random_batch_norm_state(Variable(Tensor::full({4}, 1)), Variable(Tensor::zeros({4})));
  test::expect_error(ErrorKind::kUsage,
                     "the output has shape [1, 4, 4, 4], but the slot it is to fill has [1, 4, 4, 8]",
                     [&] { conv2d_batch_norm(x, weight, state, {.groups = 4}, {}, Activation::kRelu, &slot); });
}

}  // namespace
}  // namespace ghost
