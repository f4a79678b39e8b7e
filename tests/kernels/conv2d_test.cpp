#include "kernels/conv2d.h"

#include "tests/kernels/conv2d_reference.h"
#include "tests/support/op_test.h"

namespace ghost::test {
namespace {

// A row of the table: sizes and options; the rest is what a name says.
struct ConvCase {
  std::string name;
  Shape x, weight;
  Conv2dOptions options;
  bool bias = false;
  Activation activation = Activation::kNone;
  bool pitched = false;
};

OpCase op_case(const ConvCase& row) {
  OpCase result;
  result.name = row.name;
  result.inputs = {{.shape = row.x, .pitched = row.pitched}, {.shape = row.weight}};
  if (row.bias) result.inputs.push_back({.shape = {row.weight[0]}});
  result.op = [row](const Variables& x) {
    return materialize(conv2d(x[0], x[1], row.bias ? x[2] : Variable(), row.options, row.activation));
  };
  result.reference = [row](const std::vector<Tensor>& x) {
    std::vector<double> z = conv2d_reference(x[0], x[1], row.bias ? x[2] : Tensor(), row.options);
    visit_activation(row.activation, [&](auto act) {
      for (double& value : z) value = act.value(value);
    });
    return z;
  };
  // Sums of a few hundred products.
  result.float32_limit = 3e-5;
  return result;
}

std::vector<OpCase> op_cases(const std::vector<ConvCase>& rows) {
  std::vector<OpCase> cases;
  for (const ConvCase& row : rows) cases.push_back(op_case(row));
  return cases;
}

constexpr PaddingMode kSame = PaddingMode::kSame;

GHOST_OP_TESTS(Conv2d,
               op_cases({
                   {"pointwise", {2, 5, 3, 7}, {9, 7, 1, 1}, {}},
                   {"pointwise_bias_swish", {2, 4, 3, 6}, {5, 6, 1, 1}, {}, true, Activation::kSwish},
                   {"pointwise_view_mish", {2, 4, 3, 20}, {33, 20, 1, 1}, {}, true, Activation::kMish, true},
                   {"pointwise_one_pixel", {3, 1, 1, 5}, {4, 5, 1, 1}, {}, true},
                   {"pointwise_wide", {1, 2, 1, 30}, {130, 30, 1, 1}, {}, true},
                   {"pointwise_groups", {2, 3, 3, 8}, {12, 2, 1, 1}, {.groups = 4}, true, Activation::kSigmoid, true},
                   {"pointwise_stride_2", {2, 5, 6, 3}, {4, 3, 1, 1}, {.stride = 2}, true},
                   {"stem", {2, 7, 6, 3}, {8, 3, 3, 3}, {.stride = 2}},
                   {"stem_same", {2, 7, 6, 3}, {8, 3, 3, 3}, {.stride = 2, .padding = kSame}, true, Activation::kSwish},
                   {"stem_same_even", {1, 8, 8, 3}, {4, 3, 3, 3}, {.stride = 2, .padding = kSame}},
                   {"kernel_3_view", {2, 4, 5, 4}, {6, 4, 3, 3}, {}, true, Activation::kNone, true},
                   {"kernel_3_one_pixel", {2, 1, 1, 4}, {3, 4, 3, 3}, {}, true},
                   {"kernel_5_groups_2", {1, 6, 5, 4}, {6, 2, 5, 5}, {.groups = 2}, false, Activation::kHardSwish},
                   {"kernel_5_stride_2_same", {1, 7, 8, 2}, {3, 2, 5, 5}, {.stride = 2, .padding = kSame}, true},
                   {"kernel_7_stride_3", {1, 9, 8, 2}, {3, 2, 7, 7}, {.stride = 3}, true},
                   {"kernel_1x3", {1, 4, 5, 3}, {4, 3, 1, 3}, {}, true},
                   {"kernel_2_stride_3", {1, 7, 7, 2}, {3, 2, 2, 2}, {.stride = 3}, true},
                   {"groups_4_stride_2_view",
                    {2, 5, 5, 8},
                    {4, 2, 3, 3},
                    {.stride = 2, .groups = 4},
                    true,
                    Activation::kSigmoid,
                    true},
                   {"empty_batch", {0, 4, 4, 3}, {5, 3, 1, 1}, {}, true, Activation::kSwish},
                   {"empty_batch_kernel_3", {0, 4, 4, 3}, {5, 3, 3, 3}, {.stride = 2}, true},
               }));

TEST(Conv2dShape, PaddingModes) {
  const auto pad = [](int64_t size, int kernel, int stride) {
    return resolve_padding({1, size, size, 1}, kernel, kernel, {.stride = stride, .padding = PaddingMode::kSame});
  };
  EXPECT_EQ(pad(224, 3, 2).top, 0);
  EXPECT_EQ(pad(224, 3, 2).bottom, 1);
  EXPECT_EQ(pad(7, 3, 2).top, 1);
  EXPECT_EQ(pad(7, 3, 2).bottom, 1);
  EXPECT_EQ(pad(5, 1, 2).top, 0);
  EXPECT_EQ(pad(9, 5, 1).left, 2);
  EXPECT_EQ(resolve_padding({1, 9, 9, 1}, 5, 3, {}).top, 2);
  EXPECT_EQ(resolve_padding({1, 9, 9, 1}, 5, 3, {}).right, 1);
  EXPECT_EQ(conv2d_output_shape({2, 224, 225, 3}, {16, 3, 3, 3}, {.stride = 2}), Shape({2, 112, 113, 16}));
  EXPECT_EQ(conv2d_output_shape({2, 225, 224, 3}, {16, 3, 3, 3}, {.stride = 2, .padding = PaddingMode::kSame}),
            Shape({2, 113, 112, 16}));
}

TEST(Conv2dErrors, SayWhatIsNeeded) {
  const auto shape = [](const Shape& x, const Shape& weight, const Conv2dOptions& options) {
    return [=] { conv2d_output_shape(x, weight, options); };
  };
  expect_error(
      ErrorKind::kUsage,
      "conv2d: input [8, 32, 32, 64] has 64 channels, but weight [128, 48, 1, 1] with groups=1 needs 48. Check "
      "out_channels of the layer before this one.",
      shape({8, 32, 32, 64}, {128, 48, 1, 1}, {}));
  expect_error(ErrorKind::kUsage, "which groups=2 does not divide", shape({1, 4, 4, 4}, {5, 2, 1, 1}, {.groups = 2}));
  expect_error(ErrorKind::kUsage, "input [1, 0, 4, 3] has no pixels", shape({1, 0, 4, 3}, {4, 3, 5, 5}, {}));
  expect_error(ErrorKind::kUsage, "stride is 0", shape({1, 4, 4, 4}, {4, 4, 1, 1}, {.stride = 0}));
  expect_error(ErrorKind::kUsage, "must be a feature map", shape({4, 4}, {4, 4, 1, 1}, {}));
  const Variable x(Tensor::zeros({1, 4, 4, 4})), weight(Tensor::zeros({6, 4, 1, 1}));
  expect_error(ErrorKind::kUsage, "bias has shape [5]", [&] { conv2d(x, weight, Variable(Tensor::zeros({5})), {}); });
  const Variable twice(Tensor::zeros({6, 4, 1, 1}, {DType::kFloat64, Device::cpu()}));
  expect_error(ErrorKind::kUsage, "input is float32 on cpu, but weight is float64", [&] { conv2d(x, twice, {}, {}); });
}

}  // namespace
}  // namespace ghost::test
