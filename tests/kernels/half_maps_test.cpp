// Every op on bfloat16 and float16 maps against itself in float64: the same inputs, which the half type holds exactly,
// so that only what is rounded when it is stored parts the two.
#include <gtest/gtest.h>

#include <functional>

#include "core/half.h"
#include "kernels/add.h"
#include "kernels/convert.h"
#include "kernels/depthwise_conv2d.h"
#include "kernels/ghost_concat.h"
#include "kernels/pool.h"
#include "kernels/pyramid_pool.h"
#include "kernels/squeeze_excite.h"
#include "kernels/upsample.h"
#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"

namespace ghost {
namespace {

constexpr DType kHalves[] = {DType::kBFloat16, DType::kFloat16};

// The relative distance of two neighbouring numbers at the most.
double ulp(DType half) { return half == DType::kBFloat16 ? 0x1p-7 : 0x1p-10; }

// maps are in the type that is tried, the others in its sum_type.
struct Inputs {
  std::vector<Shape> maps, parameters;
};
using Op = std::function<Feature(const Variables& maps, const Variables& parameters)>;

struct HalfResult {
  Tensor y;
  std::vector<Tensor> gradients;
};

Tensor input(const Shape& shape, uint64_t seed, DType half) {
  return test::random_tensor(shape, {}, seed, -1, 1).to(half).to(DType::kFloat32);
}

HalfResult run(const Inputs& inputs, const Op& op, DType half, DType type) {
  Variables maps, parameters;
  uint64_t seed = 1;
  for (const Shape& shape : inputs.maps) maps.emplace_back(input(shape, ++seed, half).to(type), true);
  for (const Shape& shape : inputs.parameters)
    parameters.emplace_back(input(shape, ++seed, half).to(sum_type(type)), true);
  TapeScope tape;
  const Variable y = materialize(op(maps, parameters));
  tape.tape().backward(y, input(y.shape(), 77, half).to(y.dtype()));
  HalfResult result{y.value(), {}};
  for (const Variables& all : {maps, parameters})
    for (const Variable& variable : all) {
      if (!variable.grad().defined()) continue;
      EXPECT_EQ(variable.grad().dtype(), variable.dtype());
      result.gradients.push_back(variable.grad());
    }
  return result;
}

// ulps: the limit, of the larger of the number itself and the root of the mean square.
void check(const std::string& name, const Inputs& inputs, const Op& op, double ulps = 1) {
  for (const DType half : kHalves) {
    const HalfResult in_half = run(inputs, op, half, half), exact = run(inputs, op, half, DType::kFloat64);
    test::expect_close(in_half.y.to_vector(), exact.y.to_vector(), ulps * ulp(half), str(name, " in ", half));
    for (size_t i = 0; i < exact.gradients.size(); ++i)
      test::expect_close(in_half.gradients[i].to_vector(), exact.gradients[i].to_vector(), ulps * ulp(half),
                         str("gradient ", i, " of ", name, " in ", half));
  }
}

Epilogue epilogue_of(const Variables& p, Activation activation) {
  return {.scale = p[0].value(), .shift = p[1].value(), .activation = activation, .gate = {}};
}

TEST(HalfMaps, MaterializeAndAdd) {
  check(
      "materialize", {{{2, 3, 5, 7}}, {{7}, {7}}},
      [](const Variables& x, const Variables& p) {
        const Feature y = materialize({x[0], epilogue_of(p, Activation::kHardSwish)});
        return add(y, Feature(x[0]));
      },
      2);
  check("add", {{{2, 3, 5, 7}, {2, 3, 5, 7}}, {}},
        [](const Variables& x, const Variables&) { return add(x[0], x[1]); });
}

TEST(HalfMaps, DenseConvolution) {
  for (const int64_t kernel : {1, 3})
    for (const int groups : {1, 2})
      check(
          str("conv2d ", kernel, " groups ", groups), {{{2, 6, 5, 8}}, {{10, 8 / groups, kernel, kernel}, {10}}},
          [=](const Variables& x, const Variables& p) {
            return conv2d(x[0], p[0], p[1], {.stride = kernel == 1 ? 1 : 2, .groups = groups}, Activation::kLeakyRelu);
          },
          2);
}

TEST(HalfMaps, DepthwiseConvolution) {
  for (const int64_t kernel : {3, 5})
    for (const int64_t multiplier : {1, 2})
      check(str("depthwise ", kernel, " multiplier ", multiplier),
            {{{2, 7, 6, 9}}, {{9 * multiplier, 1, kernel, kernel}, {9 * multiplier}}},
            [=](const Variables& x, const Variables& p) {
              return conv2d(x[0], p[0], p[1], {.stride = kernel == 3 ? 1 : 2, .groups = 9});
            });
}

TEST(HalfMaps, BatchNormIsOfWhatIsStored) {
  for (const bool depthwise : {false, true})
    check(
        depthwise ? "depthwise_conv2d_batch_norm" : "conv2d_batch_norm",
        {{{3, 6, 6, 8}}, {{8, depthwise ? 1 : 8, 3, 3}, {8}, {8}}},
        [=](const Variables& x, const Variables& p) {
          const TensorOptions options = p[1].value().options();
          const BatchNormState state{p[1], p[2], Tensor::zeros({8}, options), Tensor::full({8}, 1, options)};
          const Feature y = conv2d_batch_norm(x[0], p[0], state, {.groups = depthwise ? 8 : 1}, {}, Activation::kNone);
          if (is_half(x[0].dtype())) {
            const ChannelMoments of_stored{Tensor({8}), Tensor({8})};
            cpu::batch_norm_moments(y.raw.value(), of_stored);
            const Tensor expected({8}), shift({8});
            cpu::batch_norm_scale_shift(of_stored, {.gamma = p[1].value(),
                                                    .beta = p[2].value(),
                                                    .eps = 1e-5,
                                                    .running_mean = {},
                                                    .running_var = {},
                                                    .scale = expected,
                                                    .shift = shift});
            EXPECT_EQ(y.epilogue.scale.to_vector(), expected.to_vector());
            EXPECT_EQ(y.epilogue.shift.to_vector(), shift.to_vector());
          }
          return y;
        },
        4);
  check("batch_norm", {{{3, 6, 6, 8}}, {{8}, {8}}}, [](const Variables& x, const Variables& p) {
    const TensorOptions options = p[0].value().options();
    return batch_norm(x[0], {p[0], p[1], Tensor::zeros({8}, options), Tensor::full({8}, 1, options)}, {});
  });
}

TEST(HalfMaps, PoolingGivesFloat32) {
  check("global_average_pool", {{{2, 5, 3, 6}}, {}}, [](const Variables& x, const Variables&) {
    const Variable y = global_average_pool(x[0]);
    EXPECT_EQ(y.dtype(), sum_type(x[0].dtype()));
    return Feature(y);
  });
  check(
      "pyramid_pool", {{{1, 6, 5, 4}}, {}},
      [](const Variables& x, const Variables&) {
        return pyramid_pool(x[0], {5, 3});
      },
      2);
}

TEST(HalfMaps, SqueezeExcite) {
  check(
      "squeeze_excite", {{{2, 4, 5, 6}}, {{3, 6, 1, 1}, {3}, {6, 3, 1, 1}, {6}}},
      [](const Variables& x, const Variables& p) {
        const Feature y = squeeze_excite(x[0], {p[0], p[1], p[2], p[3]}, Activation::kSigmoid);
        EXPECT_EQ(y.epilogue.gate.dtype(), sum_type(x[0].dtype()));
        return y;
      },
      2);
}

TEST(HalfMaps, UpsampleSliceAndWiden) {
  check(
      "upsample2x", {{{2, 3, 2, 5}}, {}}, [](const Variables& x, const Variables&) { return upsample2x(x[0]); }, 2);
  check(
      "slice_channels", {{{2, 3, 2, 5}}, {}},
      [](const Variables& x, const Variables&) { return slice_channels(x[0], 1, 3); }, 0);
  check("widen", {{{2, 3, 2, 5}}, {}}, [](const Variables& x, const Variables&) { return upsample2x(widen(x[0])); });
}

TEST(HalfMaps, ConvertRoundsToNearestAndBack) {
  const Tensor wide = test::random_tensor({3, 2, 11}, {}, 5, -300, 300);
  for (const DType half : kHalves) {
    const Tensor narrow = wide.channels(2, 7).to(half);
    EXPECT_EQ(narrow.dtype(), half);
    const std::vector<double> exact = wide.channels(2, 7).to_vector(), back = narrow.to(DType::kFloat32).to_vector();
    for (size_t i = 0; i < exact.size(); ++i) {
      const float value = static_cast<float>(exact[i]);
      EXPECT_EQ(static_cast<float>(back[i]), half == DType::kBFloat16 ? float_from_bfloat16(bfloat16_from_float(value))
                                                                      : float_from_float16(float16_from_float(value)));
    }
  }
  EXPECT_EQ(Tensor({0, 3}).to(DType::kBFloat16).numel(), 0);
}

TEST(HalfMaps, EmptyBatch) {
  for (const DType half : kHalves) {
    const Variable x(Tensor({0, 4, 4, 6}, {half, {}}), true), w(Tensor::zeros({6, 6, 3, 3}), true);
    TapeScope tape;
    const Feature y = conv2d(x, w, {}, {}, Activation::kRelu);
    EXPECT_EQ(y.shape(), Shape({0, 4, 4, 6}));
    tape.tape().backward(y.raw, Tensor(y.shape(), {half, {}}));
    EXPECT_EQ(w.grad().to_vector(), std::vector<double>(324));
  }
}

TEST(HalfMaps, ParametersAreFloat32) {
  const Variable x(Tensor::zeros({1, 2, 2, 4}, {DType::kBFloat16, {}}));
  const Variable half(Tensor::zeros({4, 4, 1, 1}, {DType::kBFloat16, {}}));
  test::expect_error(ErrorKind::kUsage, "weight is bfloat16", [&] { conv2d(x, half, {}, {}); });
}

}  // namespace
}  // namespace ghost
