// Against plain loops in double: the CPU code has fast paths of its own.
#include <gtest/gtest.h>

#include "kernels/batch_norm.h"
#include "kernels/depthwise_conv2d.h"
#include "tests/simt/feature_inputs.h"

namespace ghost {
namespace {

struct DepthwiseCase {
  Shape x;  // {n, h, w, c}
  int kernel_h, kernel_w, stride;
  Padding padding;
  int64_t multiplier = 1;
  simt::MapOptions pitch = {};  // before, after
};

std::string describe(const DepthwiseCase& c) {
  return str(c.x, ", ", c.kernel_h, 'x', c.kernel_w, " stride ", c.stride, " padding ", c.padding.top, c.padding.left,
             c.padding.bottom, c.padding.right, " multiplier ", c.multiplier, " at channel ", c.pitch.before);
}

Shape output_shape(const DepthwiseCase& c) {
  return {c.x[0], (c.x[1] + c.padding.top + c.padding.bottom - c.kernel_h) / c.stride + 1,
          (c.x[2] + c.padding.left + c.padding.right - c.kernel_w) / c.stride + 1, c.x[3] * c.multiplier};
}

// Calls visit(input element, tap's weight element, output element) of dense tensors for every product of the
// convolution.
template <class Visit>
void for_each_product(const DepthwiseCase& c, const Visit& visit) {
  const Shape z = output_shape(c);
  const auto [h, w, in_c] = std::array{c.x[1], c.x[2], c.x[3]};
  for (int64_t n = 0; n < z[0]; ++n)
    for (int64_t i = 0; i < z[1]; ++i)
      for (int64_t j = 0; j < z[2]; ++j)
        for (int r = 0; r < c.kernel_h; ++r)
          for (int s = 0; s < c.kernel_w; ++s) {
            const int64_t row = i * c.stride - c.padding.top + r, column = j * c.stride - c.padding.left + s;
            if (row < 0 || row >= h || column < 0 || column >= w) continue;
            for (int64_t o = 0; o < z[3]; ++o)
              visit(((n * h + row) * w + column) * in_c + o / c.multiplier, (o * c.kernel_h + r) * c.kernel_w + s,
                    ((n * z[1] + i) * z[2] + j) * z[3] + o);
          }
}

struct Inputs {
  Inputs(const DepthwiseCase& c, const simt::EpilogueCase& of_x, const simt::GradientCase& of_z)
      : x(simt::random_map(c.x, {.seed = 1, .before = c.pitch.before, .after = c.pitch.after})),
        epilogue(simt::random_epilogue(c.x, of_x, 2)),
        weight(simt::random_map({c.x[3] * c.multiplier, 1, c.kernel_h, c.kernel_w}, {.seed = 3})),
        bias(simt::random_map({c.x[3] * c.multiplier}, {.seed = 4})),
        dz(simt::random_gradient(output_shape(c), of_z, c.pitch, 5)),
        y64(simt::empty_double(c.x)),
        dz64(simt::empty_double(output_shape(c))),
        problem{.stride = c.stride, .groups = static_cast<int>(c.x[3]), .padding = c.padding},
        name(str(describe(c), ", x ", of_x, ", z ", of_z)) {
    cpu::epilogue_forward(simt::to_double(x), simt::to_double(epilogue), y64);
    cpu::raw_gradient(simt::to_double(dz), dz64);
  }
  simt::Surrounded x;
  Epilogue epilogue;
  simt::Surrounded weight, bias;
  RawGradient dz;
  Tensor y64, dz64;  // what the kernels make of x and dz on load
  Conv2dProblem problem;
  std::string name;
};

void check_forward(const DepthwiseCase& c, const Inputs& in, bool with_bias, bool with_moments) {
  const Shape shape = output_shape(c);
  const Tensor z64 = Tensor::zeros(shape, {DType::kFloat64, Device::cpu()});
  const Tensor weight64 = simt::to_double(in.weight);
  for_each_product(c, [&](int64_t x, int64_t tap, int64_t z) {
    z64.data<double>()[z] += in.y64.data<double>()[x] * weight64.data<double>()[tap];
  });
  if (with_bias)
    for (int64_t i = 0; i < z64.numel(); ++i)
      z64.data<double>()[i] += static_cast<double>(in.bias.view().data<float>()[i % shape[3]]);
  const ChannelMoments moments64{simt::empty_double({shape[3]}), simt::empty_double({shape[3]})};
  cpu::batch_norm_moments(z64, moments64);

  simt::for_each_order([&] {
    const simt::Surrounded z = simt::empty_map(shape, {.before = 2 * c.pitch.before, .after = c.pitch.after});
    const simt::Surrounded mean = simt::empty_map({shape[3]}), variance = simt::empty_map({shape[3]});
    const ChannelMoments moments{mean, variance};
    simt::depthwise_conv2d_forward(in.x, in.epilogue, in.weight, with_bias ? in.bias.view() : Tensor(), in.problem, z,
                                   with_moments ? &moments : nullptr);
    simt::expect_close({"depthwise_conv2d", in.name, 1}, z, z64, simt::kLimit);
    if (!with_moments) return;
    simt::expect_close({"depthwise_conv2d mean", in.name, 1}, mean, moments64.mean, simt::kLimit);
    simt::expect_close({"depthwise_conv2d variance", in.name, 1}, variance, moments64.variance, simt::kLimit);
  });
}

void check_backward(const DepthwiseCase& c, const Inputs& in) {
  const simt::Surrounded old = simt::random_map(c.x, {.seed = 6});
  const TensorOptions options{DType::kFloat64, Device::cpu()};
  const Tensor dx64 = Tensor::zeros(c.x, options), dweight64 = Tensor::zeros(in.weight.view().shape(), options);
  const Tensor dbias64 = Tensor::zeros(in.bias.view().shape(), options), weight64 = simt::to_double(in.weight);
  for_each_product(c, [&](int64_t x, int64_t tap, int64_t z) {
    dx64.data<double>()[x] += in.dz64.data<double>()[z] * weight64.data<double>()[tap];
    dweight64.data<double>()[tap] += in.dz64.data<double>()[z] * in.y64.data<double>()[x];
  });
  for (int64_t i = 0; i < in.dz64.numel(); ++i)
    dbias64.data<double>()[i % dbias64.numel()] += in.dz64.data<double>()[i];
  const Tensor added64 = simt::to_double(old);
  added64.add_in_place(dx64);

  simt::for_each_order([&] {
    const auto run = [&](const Conv2dGradients& gradients) {
      simt::depthwise_conv2d_backward(in.x, in.epilogue, in.weight, in.dz, in.problem, gradients);
    };
    const auto expect = [&](const char* name, const Tensor& got, const Tensor& want) {
      simt::expect_close({std::string("depthwise_conv2d ") + name, in.name, 1}, got, want, simt::kLimit);
    };
    const simt::Surrounded dx_map = simt::empty_map(c.x, {.before = c.pitch.before, .after = c.pitch.after});
    const simt::Surrounded added_map = simt::copy_map(old, c.pitch.before);
    const simt::Surrounded dweight_map = simt::empty_map(dweight64.shape()),
                           dbias_map = simt::empty_map(dbias64.shape());
    Tensor dx = dx_map, added = added_map, dweight = dweight_map, dbias = dbias_map;
    run({.dx = &dx, .dweight = &dweight, .dbias = &dbias});
    expect("dx", dx, dx64);
    expect("dweight", dweight, dweight64);
    expect("dbias", dbias, dbias64);
    run({.dx = &added, .accumulate_dx = true});
    expect("dx added", added, added64);
    dx.fill(0);
    run({.dx = &dx, .accumulate_dx = true, .addend = simt::copy_map(old, c.pitch.after)});
    expect("dx with an addend", dx, added64);
    dweight.fill(0);
    run({.dweight = &dweight});
    expect("dweight alone", dweight, dweight64);
    dbias.fill(0);
    run({.dbias = &dbias});
    expect("dbias alone", dbias, dbias64);
    run({});
  });
}

void check_both_ways(const DepthwiseCase& c, const simt::EpilogueCase& of_x, const simt::GradientCase& of_z) {
  const Inputs inputs(c, of_x, of_z);
  check_forward(c, inputs, true, false);
  check_forward(c, inputs, false, true);
  check_backward(c, inputs);
}

const simt::EpilogueCase kRelu{true, Activation::kRelu}, kGatedSwish{true, Activation::kHardSwish, true};
const simt::GradientCase kReluBatchNorm{{true, Activation::kRelu}, true},
    kMishBatchNorm{{true, Activation::kMish}, true};

// Padding as PyTorch has it (k / 2 on each side) and as TensorFlow's 'same' has it (less before than after).
TEST(DepthwiseSimt, FastKernels) {
  for (const int kernel : {3, 5}) {
    for (const int stride : {1, 2}) {
      const Padding symmetric = Padding::same_all(kernel / 2);
      const Padding same{kernel / 2 - 1, kernel / 2 - 1, kernel / 2, kernel / 2};
      check_both_ways({{2, 5, 7, 8}, kernel, kernel, stride, symmetric, 1, {.before = 4, .after = 4}}, kRelu,
                      kReluBatchNorm);
      check_both_ways({{1, 6, 9, 12}, kernel, kernel, stride, same, 1, {.before = 4}}, kGatedSwish, kMishBatchNorm);
      check_both_ways({{2, 4, 4, 4}, kernel, kernel, stride, symmetric}, {}, {});
      check_both_ways({{1, 7, 5, 4}, kernel, kernel, stride, symmetric}, kGatedSwish, kReluBatchNorm);
      check_both_ways({{1, 7, 5, 4}, kernel, kernel, stride, symmetric}, kRelu, kMishBatchNorm);
    }
  }
}

TEST(DepthwiseSimt, FastKernelsAtTheEdges) {
  for (const int kernel : {3, 5}) {
    for (const int stride : {1, 2}) {
      const Padding padding = Padding::same_all(kernel / 2);
      check_both_ways({{1, 1, 1, 4}, kernel, kernel, stride, padding}, kRelu, kReluBatchNorm);     // one pixel
      check_both_ways({{2, 1, 13, 8}, kernel, kernel, stride, padding}, kRelu, {});                // one row
      check_both_ways({{1, 13, 1, 8}, kernel, kernel, stride, padding}, {}, kReluBatchNorm);       // one column
      check_both_ways({{1, 6, 11, 4}, kernel, kernel, stride, Padding{}}, kRelu, kReluBatchNorm);  // no padding
      check_both_ways({{1, 4, 6, 4}, kernel, kernel, stride, Padding::same_all(kernel)}, {},
                      {});  // outputs from padding alone
      check_both_ways({{1, 2, 3, 264}, kernel, kernel, stride, padding}, kRelu,
                      kReluBatchNorm);  // several blocks of channels
    }
  }
}

// Enough strips that every thread walks several and several blocks' partial sums are joined.
TEST(DepthwiseSimt, ManyStrips) {
  check_both_ways({{2, 40, 41, 4}, 3, 3, 1, Padding::same_all(1)}, kRelu, kReluBatchNorm);
  check_both_ways({{1, 40, 41, 132}, 5, 5, 2, Padding::same_all(2)}, kRelu, kReluBatchNorm);
}

TEST(DepthwiseSimt, PlainKernels) {
  const Padding one = Padding::same_all(1);
  check_both_ways({{2, 5, 7, 19}, 3, 3, 1, one, 1, {.before = 3, .after = 1}}, kRelu,
                  kReluBatchNorm);  // channels no multiple of 4
  check_both_ways({{1, 5, 6, 8}, 3, 3, 2, one, 1, {.before = 2}}, kGatedSwish, kMishBatchNorm);  // off the boundary
  check_both_ways({{1, 6, 5, 4}, 3, 3, 1, one, 3}, kGatedSwish, kReluBatchNorm);                 // multiplier
  check_both_ways({{2, 5, 5, 3}, 5, 5, 2, Padding::same_all(2), 2, {.before = 1}}, kRelu, kMishBatchNorm);
  check_both_ways({{1, 8, 9, 4}, 7, 7, 1, Padding::same_all(3)}, {}, {});
  check_both_ways({{1, 8, 9, 4}, 2, 4, 3, Padding{0, 2, 1, 1}}, kRelu, kReluBatchNorm);  // even, not square, stride 3
  check_both_ways({{1, 3, 4, 8}, 1, 1, 1, Padding{}}, kRelu, kReluBatchNorm);
  check_both_ways({{1, 9, 9, 4}, 3, 3, 3, one}, {}, kReluBatchNorm);
  check_both_ways({{1, 23, 40, 5}, 3, 3, 1, one}, kRelu, kReluBatchNorm);  // several parts
}

TEST(DepthwiseSimt, EmptyMapsGiveSumsOfNothing) {
  const Tensor x({0, 4, 4, 8}), weight({8, 1, 3, 3}), mean({8}), variance({8});
  const Conv2dProblem problem{.stride = 1, .groups = 8, .padding = Padding::same_all(1)};
  const ChannelMoments moments{mean, variance};
  simt::depthwise_conv2d_forward(x, {}, weight, {}, problem, x, &moments);
  EXPECT_EQ(mean.to_vector(), std::vector<double>(8));
  Tensor dx({0, 4, 4, 8}), dweight = Tensor::full({8, 1, 3, 3}, 5), dbias = Tensor::full({8}, 5);
  simt::depthwise_conv2d_backward(x, {}, weight, {x, x, {}, {}}, problem,
                                  {.dx = &dx, .dweight = &dweight, .dbias = &dbias});
  EXPECT_EQ(dweight.to_vector(), std::vector<double>(72));
  EXPECT_EQ(dbias.to_vector(), std::vector<double>(8));
}

}  // namespace
}  // namespace ghost
