// Kernels on bfloat16 and float16 maps against the CPU's code for them, which rounds at the same places: maps within
// one unit in the last place of the larger of the number and the root of the mean square, sums within the float32
// limit.
#include <functional>

#include "core/tensor_ops.h"
#include "kernels/add.h"
#include "kernels/batch_norm.h"
#include "kernels/cuda_channels.h"
#include "kernels/depthwise_conv2d.h"
#include "kernels/pool.h"
#include "kernels/pyramid_pool.h"
#include "kernels/squeeze_excite.h"
#include "kernels/upsample.h"
#include "tests/simt/feature_inputs.h"

namespace ghost {
namespace {

// The tensors that one of the two runs writes, made in the order in which they are asked for.
class Outputs {
 public:
  explicit Outputs(DType half) : half_(half) {}

  Tensor map(const Shape& shape, const simt::MapOptions& pitch = {}) {
    simt::MapOptions options = pitch;
    options.dtype = half_;
    return keep(simt::empty_map(shape, options));
  }
  Tensor copy(const Tensor& values, int64_t before = 0) { return keep(simt::copy_map(values, before)); }
  Tensor numbers(const Shape& shape) { return keep(simt::empty_map(shape)); }
  const Tensor& operator[](size_t i) const { return made_[i].view(); }
  size_t size() const { return made_.size(); }

 private:
  const Tensor& keep(simt::Surrounded tensor) {
    made_.reserve(16);
    made_.push_back(std::move(tensor));
    return made_.back().view();
  }
  DType half_;
  std::vector<simt::Surrounded> made_;
};

// Those of float32, and one whose pixels begin at multiples of 16 bytes: eight channels at a time.
std::vector<simt::MapCase> maps_of_half() {
  std::vector<simt::MapCase> maps(std::begin(simt::kMaps), std::end(simt::kMaps));
  maps.push_back({{2, 3, 5, 16}, {.before = 8, .after = 8}});
  maps.push_back({{1, 3, 40, 8}, {}});
  return maps;
}

using Run = std::function<void(DType half, Outputs& out)>;

double limit_of(const Tensor& output) {
  return output.dtype() == DType::kBFloat16 ? 0x1p-7 : output.dtype() == DType::kFloat16 ? 0x1p-10 : 2e-5;
}

void expect_same(const std::string& what, const Run& on_simt, const Run& on_cpu) {
  for (const DType half : {DType::kBFloat16, DType::kFloat16}) {
    Outputs expected(half);
    on_cpu(half, expected);
    simt::for_each_order([&] {
      Outputs actual(half);
      on_simt(half, actual);
      for (size_t i = 0; i < expected.size(); ++i)
        simt::expect_close({str(what, ", output ", i), str(half), 0}, actual[i], expected[i], limit_of(expected[i]));
    });
  }
}

// The same body with the CPU's functions and with the kernels.
#define EXPECT_SAME(what, ...)                         \
  expect_same(                                         \
      what,                                            \
      [&]([[maybe_unused]] DType half, Outputs& out) { \
        using namespace simt; /* NOLINT */             \
        __VA_ARGS__;                                   \
      },                                               \
      [&]([[maybe_unused]] DType half, Outputs& out) { \
        using namespace cpu; /* NOLINT */              \
        __VA_ARGS__;                                   \
      })

simt::MapOptions pitched(const simt::MapCase& map, DType half, uint64_t seed) {
  return {.seed = seed, .before = map.pitch.before, .after = map.pitch.after, .low = -2, .high = 2, .dtype = half};
}

// What of a test's inputs must outlive the call.
Tensor input(const simt::MapCase& map, DType half, uint64_t seed) {
  return simt::random_map(map.shape, pitched(map, half, seed)).view();
}

Tensor numbers(const Shape& shape, uint64_t seed, double low = -1, double high = 1) {
  return simt::random_map(shape, {.seed = seed, .low = low, .high = high}).view();
}

TEST(HalfMapsSimt, EpiloguesAndAdditions) {
  for (const simt::MapCase& map : maps_of_half()) {
    const std::string where = describe(map);
    const Epilogue gated = simt::random_epilogue(map.shape, {true, Activation::kRelu, true}, 3);
    const Epilogue smooth = simt::random_epilogue(map.shape, {true, Activation::kSwish}, 4);
    EXPECT_SAME("epilogue " + where, epilogue_forward(input(map, half, 1), gated, out.map(map.shape, map.pitch)));
    EXPECT_SAME("smooth epilogue " + where, epilogue_forward(input(map, half, 1), smooth, out.map(map.shape)));
    EXPECT_SAME("add " + where, add_forward(input(map, half, 1), gated, input(map, half, 2), {}, out.map(map.shape)));
    EXPECT_SAME("raw_gradient " + where, {
      simt::MapOptions pitch = map.pitch;
      pitch.dtype = half;
      raw_gradient(simt::random_gradient(map.shape, {{true, Activation::kHardSwish}, true}, pitch, 5),
                   out.map(map.shape));
    });
    EXPECT_SAME("tensor_add " + where, tensor_add(input(map, half, 1), out.copy(input(map, half, 2), 1)));
    EXPECT_SAME("tensor_convert " + where, {
      tensor_convert(numbers(map.shape, 1, -9, 9), out.map(map.shape, map.pitch));
      tensor_convert(input(map, half, 2), out.numbers(map.shape));
    });
    EXPECT_SAME("tensor_fill " + where, tensor_fill(out.map(map.shape, map.pitch), 0.3));
  }
}

TEST(HalfMapsSimt, BatchNorm) {
  for (const simt::MapCase& map : maps_of_half()) {
    const int64_t c = map.shape[-1];
    EXPECT_SAME("moments " + describe(map),
                batch_norm_moments(input(map, half, 1), {out.numbers({c}), out.numbers({c})}));
    const Tensor mean = numbers({c}, 1), variance = numbers({c}, 2, 0.5, 2), gamma = numbers({c}, 3);
    EXPECT_SAME("backward " + describe(map), {
      simt::MapOptions pitch = map.pitch;
      pitch.dtype = half;
      RawGradient dz = simt::random_gradient(map.shape, {{true, Activation::kLeakyRelu}, false}, pitch, 5);
      dz.coefficients = out.numbers({3, c});
      batch_norm_backward(dz, {mean, variance}, gamma, 1e-5, true, out.numbers({c}), out.numbers({c}));
    });
  }
}

TEST(HalfMapsSimt, Pools) {
  for (const simt::MapCase& map : maps_of_half()) {
    const Shape s = map.shape, pooled{s[0], 1, 1, s[3]}, twice{s[0], 2 * s[1], 2 * s[2], s[3]};
    const Epilogue epilogue = simt::random_epilogue(s, {true, Activation::kRelu, true}, 3);
    EXPECT_SAME("pool " + describe(map),
                global_average_pool_forward(input(map, half, 1), epilogue, out.numbers(pooled)));
    for (const bool accumulate : {false, true})
      EXPECT_SAME("pool backward " + describe(map),
                  global_average_pool_backward(numbers(pooled, 2), out.copy(input(map, half, 3), 4), accumulate));
    EXPECT_SAME("upsample " + describe(map), upsample2x_forward(input(map, half, 1), out.map(twice, map.pitch)));
    EXPECT_SAME("upsample backward " + describe(map),
                upsample2x_backward(input({twice, map.pitch}, half, 1), out.copy(input(map, half, 2)), true));
  }
}

TEST(HalfMapsSimt, PyramidPool) {
  const simt::MapCase wide{{2, 5, 4, 9}, {}}, one{{2, 5, 4, 3}, {.before = 1}};
  const Tensor places({2, 5, 4, 6}, {DType::kInt32, Device::cpu()});
  EXPECT_SAME("pyramid_pool", pyramid_pool_forward(out.copy(input(wide, half, 1), 2), {5, 3}, places));
  for (const bool accumulate : {false, true})
    EXPECT_SAME("pyramid_pool backward",
                pyramid_pool_backward(input(wide, half, 2), places, out.copy(input(one, half, 3)), accumulate));
}

TEST(HalfMapsSimt, SqueezeExcite) {
  for (const simt::MapCase& map : {simt::kMaps[0], simt::kMaps[2], maps_of_half().back()}) {
    const int64_t n = map.shape[0], c = map.shape[-1], r = 5;
    const Epilogue epilogue = simt::random_epilogue(map.shape, {true, Activation::kRelu}, 3);
    const SqueezeExciteTensors weights{numbers({r, c, 1, 1}, 1), numbers({r}, 2), numbers({c, r, 1, 1}, 3),
                                       numbers({c}, 4)};
    const SqueezeExciteSaved saved{numbers({n, c}, 5), numbers({n, r}, 6), numbers({n, c}, 7)};
    const Tensor gate = numbers({n, c}, 8);
    EXPECT_SAME(
        "squeeze_excite " + describe(map),
        squeeze_excite_forward(input(map, half, 1), epilogue, weights, Activation::kSigmoid,
                               {out.numbers({n, c}), out.numbers({n, r}), out.numbers({n, c})}, out.numbers({n, c})));
    EXPECT_SAME("squeeze_excite backward " + describe(map), {
      const SqueezeExciteTensors gradients{out.numbers({r, c, 1, 1}), out.numbers({r}), out.numbers({c, r, 1, 1}),
                                           out.numbers({c})};
      squeeze_excite_backward(input(map, half, 1), input(map, half, 2), epilogue, weights, Activation::kSigmoid, saved,
                              gate, gradients, out.copy(input(map, half, 3)), true);
    });
  }
}

TEST(HalfMapsSimt, Depthwise) {
  struct Case {
    int kernel, stride;
    int64_t channels, multiplier;
  };
  for (const Case& c :
       {Case{3, 1, 8, 1}, Case{3, 2, 12, 1}, Case{5, 1, 8, 1}, Case{5, 2, 8, 1}, Case{3, 1, 7, 1}, Case{3, 2, 4, 2}}) {
    const int64_t side = (7 + c.stride - 1) / c.stride, o = c.channels * c.multiplier;
    const simt::MapCase x{{2, 7, 7, c.channels}, {.before = 4, .after = 4}}, z{{2, side, side, o}, {.before = 4}};
    const Conv2dProblem problem{c.stride, static_cast<int>(c.channels), Padding::same_all(c.kernel / 2)};
    const Tensor weight = numbers({o, 1, c.kernel, c.kernel}, 9), bias = numbers({o}, 10);
    const Epilogue epilogue = simt::random_epilogue(x.shape, {true, Activation::kRelu, true}, 3);
    const std::string what = str("depthwise ", c.kernel, '/', c.stride, ", ", c.channels, " channels");
    EXPECT_SAME(what, {
      const ChannelMoments moments{out.numbers({o}), out.numbers({o})};
      depthwise_conv2d_forward(input(x, half, 1), epilogue, weight, bias, problem, out.map(z.shape, z.pitch), &moments);
    });
    EXPECT_SAME(what + " backward", {
      simt::MapOptions pitch = z.pitch;
      pitch.dtype = half;
      const RawGradient dz = simt::random_gradient(z.shape, {{true, Activation::kRelu6}, true}, pitch, 5);
      Tensor dx = out.copy(input(x, half, 2), 4), dweight = out.numbers(weight.shape()), dbias = out.numbers({o});
      depthwise_conv2d_backward(input(x, half, 1), epilogue, weight, dz, problem, {&dx, true, &dweight, &dbias});
    });
  }
}

// These have no twin on the CPU.
TEST(HalfMapsSimt, Channels) {
  for (const DType half : {DType::kBFloat16, DType::kFloat16})
    for (const simt::MapCase& map : maps_of_half()) {
      const int64_t c = map.shape[-1];
      const Tensor z = input(map, half, 1), bias = numbers({c}, 2), sums({c}), weight = input(map, half, 3);
      std::vector<double> expected = z.to_vector(), totals(static_cast<size_t>(c));
      for (size_t i = 0; i < expected.size(); ++i) {
        totals[i % totals.size()] += expected[i];
        expected[i] += bias.to_vector()[i % totals.size()];
      }
      simt::channel_sums(z, sums);
      simt::expect_close({"channel_sums", str(half), 0}, sums, Tensor::from(totals, {c}), simt::kLimit);
      simt::add_channel_bias(bias, z);
      simt::expect_close({"bias", str(half), 0}, z, Tensor::from(expected, map.shape), limit_of(z));

      const Tensor dense = weight.clone(), there(map.shape, dense.options()), back(map.shape);
      simt::weight_to_channels_last(dense, there);
      simt::weight_from_channels_last(there, back);
      EXPECT_EQ(back.to_vector(), dense.to_vector()) << "a half weight and float32 back in its old order";
    }
}

TEST(HalfMapsSimt, MapsOfTwoTypesAreRefused) {
  const Tensor wide({1, 1, 1, 4}), half({1, 1, 1, 4}, {DType::kBFloat16, Device::cpu()});
  EXPECT_THROW(simt::epilogue_forward(half, {}, wide), Error);
  EXPECT_THROW(simt::upsample2x_forward(wide, half), Error);
}

}  // namespace
}  // namespace ghost
