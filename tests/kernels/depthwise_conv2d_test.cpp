#include "kernels/depthwise_conv2d.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/batch_norm.h"
#include "tests/support/op_test.h"

namespace ghost {
namespace {

using test::expect_close;
using test::GuardedTensor;
using test::kFloat32;
using test::kFloat64;
using test::random_tensor;

struct DepthwiseCase {
  std::string name;
  Shape x;
  int kernel_h = 3, kernel_w = 3, stride = 1, multiplier = 1;
  PaddingMode padding = PaddingMode::kSymmetric;
  Activation activation = Activation::kNone;  // of x
  bool scaled = false, gated = false, bias = false;
  Activation z_activation = Activation::kNone;  // of z; its gradient has coefficients where `scaled`
};

void PrintTo(const DepthwiseCase& c, std::ostream* out) { *out << c.name; }

int64_t out_channels(const DepthwiseCase& c) { return c.x[3] * c.multiplier; }

Conv2dProblem problem_of(const DepthwiseCase& c) {
  const Conv2dOptions options{.stride = c.stride, .padding = c.padding, .groups = static_cast<int>(c.x[3])};
  return {c.stride, options.groups, resolve_padding(c.x, c.kernel_h, c.kernel_w, options)};
}

Shape z_shape(const DepthwiseCase& c) {
  const Padding padding = problem_of(c).padding;
  return {c.x[0], (c.x[1] + padding.top + padding.bottom - c.kernel_h) / c.stride + 1,
          (c.x[2] + padding.left + padding.right - c.kernel_w) / c.stride + 1, out_channels(c)};
}

// Everything one case needs, in float64, with values that are exact in float32.
struct Data {
  explicit Data(const DepthwiseCase& c, uint64_t seed = 7) {
    const int64_t channels = c.x[3], outputs = out_channels(c);
    x = random_tensor(c.x, kFloat64, seed);
    weight = random_tensor({outputs, 1, c.kernel_h, c.kernel_w}, kFloat64, seed + 1);
    if (c.bias) bias = random_tensor({outputs}, kFloat64, seed + 2);
    x_epilogue.activation = c.activation;
    dz.epilogue.activation = c.z_activation;
    if (c.scaled) {
      x_epilogue.scale = random_tensor({channels}, kFloat64, seed + 3, 0.5, 1.5);
      x_epilogue.shift = random_tensor({channels}, kFloat64, seed + 4);
      dz.epilogue.scale = random_tensor({outputs}, kFloat64, seed + 5, 0.5, 1.5);
      dz.epilogue.shift = random_tensor({outputs}, kFloat64, seed + 6);
      dz.coefficients = random_tensor({3, outputs}, kFloat64, seed + 7);
    }
    if (c.gated) x_epilogue.gate = random_tensor({c.x[0], channels}, kFloat64, seed + 8);
    dz.dy = random_tensor(z_shape(c), kFloat64, seed + 9);
    dz.z = random_tensor(z_shape(c), kFloat64, seed + 10);
    old_dx = random_tensor(c.x, kFloat64, seed + 11);
  }
  Tensor x, weight, bias, old_dx;
  Epilogue x_epilogue;
  RawGradient dz;
};

std::vector<double> vector_or(const Tensor& tensor, size_t count, double otherwise) {
  return tensor.defined() ? tensor.to_vector() : std::vector<double>(count, otherwise);
}

// Plain loops over the formulas of conv2d.h and feature.h.
struct Reference {
  Reference(const DepthwiseCase& c, const Data& data) : c(c), padding(problem_of(c).padding), out(z_shape(c)) {
    apply_epilogue(data);
    unfold_gradient(data);
    const std::vector<double> weight = data.weight.to_vector(), bias = vector_or(data.bias, outputs(), 0);
    z.assign(static_cast<size_t>(out.numel()), 0);
    dx.assign(y.size(), 0);
    dweight.assign(weight.size(), 0);
    dbias.assign(outputs(), 0);
    for (size_t i = 0; i < z.size(); ++i) {
      z[i] = bias[i % outputs()];
      dbias[i % outputs()] += dz[i];
    }
    for_each_product([&](size_t output, size_t input, size_t tap) {
      z[output] += y[input] * weight[tap];
      dx[input] += dz[output] * weight[tap];
      dweight[tap] += dz[output] * y[input];
    });
    find_moments();
  }

  size_t outputs() const { return static_cast<size_t>(out[3]); }

  void apply_epilogue(const Data& data) {
    y = data.x.to_vector();
    const size_t channels = static_cast<size_t>(c.x[3]), per_image = static_cast<size_t>(c.x[1] * c.x[2] * c.x[3]);
    const std::vector<double> scale = vector_or(data.x_epilogue.scale, channels, 1);
    const std::vector<double> shift = vector_or(data.x_epilogue.shift, channels, 0);
    const std::vector<double> gate = vector_or(data.x_epilogue.gate, static_cast<size_t>(c.x[0]) * channels, 1);
    visit_activation(c.activation, [&]<class Act>(Act) {
      for (size_t i = 0; i < y.size(); ++i) {
        const size_t k = i % channels;
        y[i] = Act::value(scale[k] * y[i] + shift[k]) * gate[i / per_image * channels + k];
      }
    });
  }

  void unfold_gradient(const Data& data) {
    const size_t o = outputs();
    dz = data.dz.dy.to_vector();
    const std::vector<double> raw = data.dz.z.to_vector(), scale = vector_or(data.dz.epilogue.scale, o, 1);
    const std::vector<double> shift = vector_or(data.dz.epilogue.shift, o, 0);
    const std::vector<double> abd = vector_or(data.dz.coefficients, 3 * o, 0);
    visit_activation(c.z_activation, [&]<class Act>(Act) {
      for (size_t i = 0; i < dz.size(); ++i) {
        const size_t k = i % o;
        dz[i] *= Act::derivative(scale[k] * raw[i] + shift[k]);
        if (data.dz.coefficients.defined()) dz[i] = abd[k] * dz[i] + abd[o + k] * raw[i] + abd[2 * o + k];
      }
    });
  }

  template <class Body>
  void for_each_product(const Body& body) const {
    for (int64_t n = 0; n < out[0]; ++n)
      for (int64_t i = 0; i < out[1]; ++i)
        for (int64_t j = 0; j < out[2]; ++j)
          for (int64_t r = 0; r < c.kernel_h; ++r)
            for (int64_t s = 0; s < c.kernel_w; ++s) {
              const int64_t h = i * c.stride - padding.top + r, w = j * c.stride - padding.left + s;
              if (h < 0 || h >= c.x[1] || w < 0 || w >= c.x[2]) continue;
              for (int64_t o = 0; o < out[3]; ++o)
                body(static_cast<size_t>(((n * out[1] + i) * out[2] + j) * out[3] + o),
                     static_cast<size_t>(((n * c.x[1] + h) * c.x[2] + w) * c.x[3] + o / c.multiplier),
                     static_cast<size_t>((o * c.kernel_h + r) * c.kernel_w + s));
            }
  }

  void find_moments() {
    mean.assign(outputs(), 0);
    variance.assign(outputs(), 0);
    const double count = static_cast<double>(z.size() / outputs());
    for (size_t i = 0; i < z.size(); ++i) mean[i % outputs()] += z[i] / count;
    for (size_t i = 0; i < z.size(); ++i) variance[i % outputs()] += std::pow(z[i] - mean[i % outputs()], 2) / count;
  }

  const DepthwiseCase& c;
  Padding padding;
  Shape out;
  std::vector<double> y, dz, z, mean, variance, dx, dweight, dbias;
};

Epilogue to(const Epilogue& epilogue, const TensorOptions& options) {
  Epilogue result = epilogue;
  for (Tensor* tensor : {&result.scale, &result.shift, &result.gate})
    if (tensor->defined()) *tensor = tensor->to(options.dtype).to(options.device);
  return result;
}

Tensor cast(const Tensor& tensor, const TensorOptions& options) {
  return tensor.defined() ? tensor.to(options.dtype).to(options.device) : Tensor();
}

void check_forward(const DepthwiseCase& c, const TensorOptions& options, double limit) {
  const Data data(c);
  const Reference want(c, data);
  const GuardedTensor x(cast(data.x, options)), z(z_shape(c), options);
  const ChannelMoments moments{Tensor({out_channels(c)}, options), Tensor({out_channels(c)}, options)};
  GHOST_DISPATCH(options.device,
                 depthwise_conv2d_forward(x.view(), to(data.x_epilogue, options), cast(data.weight, options),
                                          cast(data.bias, options), problem_of(c), z.view(), &moments));
  const std::string what = str(c.name, " in ", options.dtype, " on ", options.device);
  expect_close(z.view().to_vector(), want.z, limit, what + ", z");
  expect_close(moments.mean.to_vector(), want.mean, limit, what + ", mean");
  expect_close(moments.variance.to_vector(), want.variance, limit, what + ", variance");
  x.expect_guard_untouched("forward, x");
  z.expect_guard_untouched("forward, z");

  const Tensor dense(z_shape(c), options);
  GHOST_DISPATCH(options.device, depthwise_conv2d_forward(cast(data.x, options), to(data.x_epilogue, options),
                                                          cast(data.weight, options), cast(data.bias, options),
                                                          problem_of(c), dense, nullptr));
  test::expect_same_bits(dense, z.view(), what + ", dense and without moments");
}

void check_backward(const DepthwiseCase& c, const TensorOptions& options, double limit, bool accumulate) {
  const Data data(c);
  Reference want(c, data);
  const GuardedTensor x(cast(data.x, options)), dy(cast(data.dz.dy, options)), z(cast(data.dz.z, options));
  const GuardedTensor dx_guarded(cast(data.old_dx, options));
  const RawGradient dz{dy.view(), z.view(), to(data.dz.epilogue, options), cast(data.dz.coefficients, options)};
  Tensor dx = dx_guarded.view(), dweight(data.weight.shape(), options), dbias({out_channels(c)}, options);
  GHOST_DISPATCH(options.device,
                 depthwise_conv2d_backward(x.view(), to(data.x_epilogue, options), cast(data.weight, options), dz,
                                           problem_of(c), {&dx, accumulate, &dweight, &dbias}));
  if (accumulate) {
    const std::vector<double> old = data.old_dx.to_vector();
    for (size_t i = 0; i < old.size(); ++i) want.dx[i] += old[i];
  }
  const std::string what =
      str(c.name, accumulate ? ", accumulated, in " : ", in ", options.dtype, " on ", options.device);
  expect_close(dx.to_vector(), want.dx, limit, what + ", dx");
  expect_close(dweight.to_vector(), want.dweight, limit, what + ", dweight");
  expect_close(dbias.to_vector(), want.dbias, limit, what + ", dbias");
  dx_guarded.expect_guard_untouched("backward, dx");

  if (accumulate) return;
  Tensor only_dx(c.x, options), only_dweight(data.weight.shape(), options);
  const auto backward = [&](const Conv2dGradients& gradients) {
    GHOST_DISPATCH(options.device, depthwise_conv2d_backward(x.view(), to(data.x_epilogue, options),
                                                             cast(data.weight, options), dz, problem_of(c), gradients));
  };
  backward({.dx = &only_dx});
  test::expect_same_bits(only_dx, dx, what + ", dx alone");
  backward({.dweight = &only_dweight});
  test::expect_same_bits(only_dweight, dweight, what + ", dweight alone");
}

class DepthwiseConv2d : public testing::TestWithParam<DepthwiseCase> {};

TEST_P(DepthwiseConv2d, ForwardFloat64) { check_forward(GetParam(), kFloat64, 1e-11); }
TEST_P(DepthwiseConv2d, ForwardFloat32) { check_forward(GetParam(), kFloat32, 1e-5); }
TEST_P(DepthwiseConv2d, BackwardFloat64) {
  for (const bool accumulate : {false, true}) check_backward(GetParam(), kFloat64, 1e-11, accumulate);
}
TEST_P(DepthwiseConv2d, BackwardFloat32) {
  for (const bool accumulate : {false, true}) check_backward(GetParam(), kFloat32, 2e-5, accumulate);
}

std::vector<DepthwiseCase> depthwise_cases() {
  std::vector<DepthwiseCase> all = {
      {.name = "one_pixel", .x = {2, 1, 1, 8}},
      {.name = "one_pixel_5x5_stride_2", .x = {1, 1, 1, 3}, .kernel_h = 5, .kernel_w = 5, .stride = 2, .scaled = true},
      {.name = "kernel_larger_than_map", .x = {1, 2, 3, 20}, .kernel_h = 7, .kernel_w = 7, .bias = true},
      {.name = "two_by_four_kernel", .x = {2, 6, 7, 5}, .kernel_h = 2, .kernel_w = 4, .scaled = true},
      {.name = "one_by_one_kernel", .x = {2, 4, 5, 9}, .kernel_h = 1, .kernel_w = 1, .scaled = true},
      {.name = "one_by_one_stride_2", .x = {2, 5, 5, 9}, .kernel_h = 1, .kernel_w = 1, .stride = 2},
      {.name = "stride_3", .x = {1, 11, 10, 6}, .stride = 3, .scaled = true},
      {.name = "stride_4_kernel_2", .x = {1, 9, 10, 6}, .kernel_h = 2, .kernel_w = 2, .stride = 4},
      {.name = "multiplier_2",
       .x = {2, 5, 6, 3},
       .multiplier = 2,
       .activation = Activation::kRelu,
       .scaled = true,
       .bias = true},
      {.name = "multiplier_3_stride_2",
       .x = {2, 7, 6, 5},
       .kernel_h = 5,
       .kernel_w = 5,
       .stride = 2,
       .multiplier = 3,
       .padding = PaddingMode::kSame,
       .gated = true},
      {.name = "gate", .x = {3, 6, 5, 12}, .activation = Activation::kRelu, .scaled = true, .gated = true},
      {.name = "mask_without_coefficients", .x = {1, 6, 5, 12}, .z_activation = Activation::kRelu6},
      {.name = "bands_and_groups", .x = {1, 30, 11, 100}, .scaled = true, .z_activation = Activation::kRelu},
      {.name = "bands_5x5_stride_2", .x = {1, 41, 9, 36}, .kernel_h = 5, .kernel_w = 5, .stride = 2, .scaled = true},
  };
  for (const int kernel : {3, 5})
    for (const int stride : {1, 2})
      for (const PaddingMode padding : {PaddingMode::kSymmetric, PaddingMode::kSame})
        for (const int64_t channels : {1, 4, 7, 8, 12, 20, 92}) {
          const int64_t width = 8 + channels % 9;  // every remainder of the column blocks
          all.push_back({.name = str("k", kernel, "_s", stride,
                                     padding == PaddingMode::kSame ? "_same_c" : "_symmetric_c", channels),
                         .x = {2, 9 + channels % 2, width, channels},
                         .kernel_h = kernel,
                         .kernel_w = kernel,
                         .stride = stride,
                         .padding = padding,
                         .activation = Activation::kRelu,
                         .scaled = true,
                         .bias = channels == 7,
                         .z_activation = Activation::kRelu});
        }
  for (int activation = 0; activation <= static_cast<int>(Activation::kMish); ++activation)
    all.push_back({.name = str("activation_", activation),
                   .x = {1, 5, 6, 10},
                   .activation = static_cast<Activation>(activation),
                   .scaled = true,
                   .z_activation = static_cast<Activation>(activation)});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Table, DepthwiseConv2d, testing::ValuesIn(depthwise_cases()),
                         [](const auto& info) { return info.param.name; });

TEST(DepthwiseConv2dOnCuda, AllCases) {
  if (const std::string reason = cuda_unavailable_reason(); !reason.empty()) GTEST_SKIP() << reason;
  const TensorOptions options{DType::kFloat32, Device::cuda()};
  for (const DepthwiseCase& c : depthwise_cases()) {
    check_forward(c, options, 1e-4);
    for (const bool accumulate : {false, true}) check_backward(c, options, 1e-4, accumulate);
  }
}

TEST(DepthwiseConv2dCpu, EmptyBatchGivesZeroWeightGradient) {
  const Tensor x({0, 5, 5, 4}, kFloat32), z({0, 5, 5, 4}, kFloat32), weight = Tensor::full({4, 1, 3, 3}, 1, kFloat32);
  const Conv2dProblem problem{1, 4, Padding::same_all(1)};
  const ChannelMoments moments{Tensor({4}, kFloat32), Tensor({4}, kFloat32)};
  cpu::depthwise_conv2d_forward(x, {}, weight, {}, problem, z, &moments);
  EXPECT_EQ(moments.mean.to_vector(), std::vector<double>(4, 0));
  Tensor dx(x.shape(), kFloat32), dweight = Tensor::full(weight.shape(), 5, kFloat32);
  cpu::depthwise_conv2d_backward(x, {}, weight, {z, {}, {}, {}}, problem, {.dx = &dx, .dweight = &dweight});
  EXPECT_EQ(dweight.to_vector(), std::vector<double>(36, 0));
}

// The ghost module's layout: reads channels [0, m) and writes [m, 2m) of one buffer.
TEST(DepthwiseConv2dCpu, ReadsAndWritesHalvesOfOneBuffer) {
  const int64_t m = 20;
  const Tensor buffer = random_tensor({2, 9, 9, 2 * m}, kFloat32, 3), weight = random_tensor({m, 1, 3, 3}, kFloat32, 4);
  const Tensor x = buffer.channels(0, m).clone(), z({2, 9, 9, m}, kFloat32);
  const Conv2dProblem problem{1, static_cast<int>(m), Padding::same_all(1)};
  Epilogue relu;
  relu.activation = Activation::kRelu;
  cpu::depthwise_conv2d_forward(x, relu, weight, {}, problem, z, nullptr);
  cpu::depthwise_conv2d_forward(buffer.channels(0, m), relu, weight, {}, problem, buffer.channels(m, m), nullptr);
  test::expect_same_bits(buffer.channels(m, m), z, "half of the buffer against a tensor of its own");
  test::expect_same_bits(buffer.channels(0, m), x, "the input half");
}

TEST(DepthwiseConv2dCpu, SameBitsForAnyThreadCount) {
  for (const DepthwiseCase& c :
       {DepthwiseCase{.name = "3x3",
       .x = {3, 19, 14, 72},
       .activation = Activation::kRelu,
       .scaled = true,
       .z_activation = Activation::kRelu},
        DepthwiseCase{
            .name = "5x5", .x = {1, 40, 14, 36}, .kernel_h = 5, .kernel_w = 5, .stride = 2, .scaled = true}}) {
    const Data data(c);
    const auto f32 = [](const Tensor& tensor) { return tensor.to(DType::kFloat32); };
    test::expect_same_for_any_threads([&] {
      const Tensor z(z_shape(c), kFloat32), x = f32(data.x), weight = f32(data.weight);
      const ChannelMoments moments{Tensor({c.x[3]}, kFloat32), Tensor({c.x[3]}, kFloat32)};
      const Epilogue epilogue = to(data.x_epilogue, kFloat32);
      cpu::depthwise_conv2d_forward(x, epilogue, weight, {}, problem_of(c), z, &moments);
      Tensor dx(c.x, kFloat32), dweight(weight.shape(), kFloat32), dbias({c.x[3]}, kFloat32);
      const RawGradient dz{f32(data.dz.dy), f32(data.dz.z), to(data.dz.epilogue, kFloat32), f32(data.dz.coefficients)};
      cpu::depthwise_conv2d_backward(x, epilogue, weight, dz, problem_of(c), {&dx, false, &dweight, &dbias});
      return std::vector<Tensor>{z, moments.mean, moments.variance, dx, dweight, dbias};
    });
  }
}

// A large mean must not eat the variance: 1000 +- 1 in float32.
TEST(DepthwiseConv2dCpu, MomentsOfLargeMeansDoNotCancel) {
  const Tensor x = random_tensor({4, 28, 28, 16}, kFloat32, 5, 999, 1001),
               weight = Tensor::full({16, 1, 1, 1}, 1, kFloat32);
  const Tensor z(x.shape(), kFloat32);
  const ChannelMoments moments{Tensor({16}, kFloat32), Tensor({16}, kFloat32)};
  cpu::depthwise_conv2d_forward(x, {}, weight, {}, {1, 16, {}}, z, &moments);
  const std::vector<double> values = x.to_vector();
  std::vector<double> mean(16, 0), variance(16, 0);
  for (size_t i = 0; i < values.size(); ++i) mean[i % 16] += values[i] * 16 / static_cast<double>(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    variance[i % 16] += std::pow(values[i] - mean[i % 16], 2) * 16 / static_cast<double>(values.size());
  expect_close(moments.mean.to_vector(), mean, 1e-6, "mean");
  expect_close(moments.variance.to_vector(), variance, 1e-4, "variance");
}

TEST(DepthwiseConv2dCpu, IsDepthwise) {
  EXPECT_TRUE(is_depthwise({1, 4, 4, 8}, {8, 1, 3, 3}, 8));
  EXPECT_TRUE(is_depthwise({1, 4, 4, 8}, {16, 1, 3, 3}, 8));
  EXPECT_FALSE(is_depthwise({1, 4, 4, 8}, {8, 2, 3, 3}, 4));
  EXPECT_FALSE(is_depthwise({1, 4, 4, 8}, {8, 8, 3, 3}, 1));
}

// Through the ops: gradients by finite differences, with a batch norm in front whose epilogue the convolution applies.
test::OpCase op_case(const std::string& name, Shape x, int kernel, const Conv2dOptions& options, int64_t outputs,
                     Activation activation) {
  const int64_t c = x[3];
  return {.name = name,
          .inputs = {{.shape = x, .pitched = true},
                     {.shape = {outputs, 1, kernel, kernel}},
                     {.shape = {outputs}},
                     {.shape = {c}, .low = 0.5, .high = 1.5},
                     {.shape = {c}}},
          .op = [=](const Variables& in) {
            const TensorOptions like = in[0].value().options();
            const BatchNormState state{in[3], in[4], Tensor::zeros({c}, like), Tensor::full({c}, 1, like)};
            return materialize(conv2d(batch_norm(in[0], state, {}, activation), in[1], in[2], options));
          }};
}

GHOST_OP_TESTS(DepthwiseConv2dOp,
               {
                   op_case("3x3", {2, 5, 4, 3}, 3, {.groups = 3}, 3, Activation::kRelu),
                   op_case("3x3_stride_2_same", {2, 6, 4, 3}, 3,
                           {.stride = 2, .padding = PaddingMode::kSame, .groups = 3}, 3, Activation::kHardSwish),
                   op_case("5x5_stride_2", {1, 7, 6, 4}, 5, {.stride = 2, .groups = 4}, 4, Activation::kMish),
                   op_case("multiplier_2", {2, 4, 4, 2}, 3, {.groups = 2}, 4, Activation::kSwish),
               });

}  // namespace
}  // namespace ghost
