#include <gtest/gtest.h>

#include "kernels/batch_norm.h"
#include "tests/simt/feature_inputs.h"

namespace ghost {
namespace {

ChannelMoments double_moments(int64_t channels) {
  return {simt::empty_double({channels}), simt::empty_double({channels})};
}

// A gamma, a beta and running statistics in `map`'s channels, and room for scale and shift.
ScaleShift random_scale_shift(int64_t channels) {
  const auto vector = [&](uint64_t seed, double low) {
    return simt::random_map({channels}, {.seed = seed, .low = low, .high = 3}).view();
  };
  return {.gamma = vector(3, -3),
          .beta = vector(4, -3),
          .eps = 1e-3,
          .momentum = 0.1,
          .count = 11,
          .running_mean = vector(5, -3),
          .running_var = vector(6, 0.1),
          .scale = Tensor({channels}),
          .shift = Tensor({channels})};
}

ScaleShift to_double(const ScaleShift& to) {
  const int64_t channels = to.gamma.numel();
  return {simt::to_double(to.gamma),
          simt::to_double(to.beta),
          to.eps,
          to.momentum,
          to.count,
          simt::to_double(to.running_mean),
          simt::to_double(to.running_var),
          simt::empty_double({channels}),
          simt::empty_double({channels})};
}

TEST(BatchNormSimt, Moments) {
  for (const simt::MapCase& map : simt::kMaps) {
    const int64_t c = map.shape[-1];
    const simt::Surrounded z =
        simt::random_map(map.shape, {.seed = 5, .before = map.pitch.before, .after = map.pitch.after});
    const ChannelMoments expected = double_moments(c);
    cpu::batch_norm_moments(simt::to_double(z), expected);
    simt::for_each_order([&] {
      const simt::Surrounded mean = simt::empty_map({c}), variance = simt::empty_map({c});
      simt::batch_norm_moments(z, {mean, variance});
      simt::expect_close({"mean", describe(map), 5}, mean, expected.mean, simt::kLimit);
      simt::expect_close({"variance", describe(map), 5}, variance, expected.variance, simt::kLimit);
    });
  }
}

// What a batch norm makes of the moments comes with them.
TEST(BatchNormSimt, MomentsThenScaleShift) {
  for (const simt::MapCase& map : simt::kMaps) {
    const int64_t c = map.shape[-1];
    const simt::Surrounded z =
        simt::random_map(map.shape, {.seed = 5, .before = map.pitch.before, .after = map.pitch.after});
    const ScaleShift expected = to_double(random_scale_shift(c));
    ChannelMoments moments = double_moments(c);
    moments.then = &expected;
    cpu::batch_norm_moments(simt::to_double(z), moments);
    simt::for_each_order([&] {
      const ScaleShift got = random_scale_shift(c);
      simt::batch_norm_moments(z, {Tensor({c}), Tensor({c}), &got});
      const simt::What what{"moments, then", describe(map), 5};
      simt::expect_close(what, got.scale, expected.scale, simt::kLimit);
      simt::expect_close(what, got.shift, expected.shift, simt::kLimit);
      simt::expect_close(what, got.running_mean, expected.running_mean, simt::kLimit);
      simt::expect_close(what, got.running_var, expected.running_var, simt::kLimit);
    });
  }
}

TEST(BatchNormSimt, MomentsOfNoPixelsThenScaleShift) {
  const ScaleShift got = random_scale_shift(2);
  simt::batch_norm_moments(Tensor({0, 3, 3, 2}), {Tensor({2}), Tensor({2}), &got});
  EXPECT_EQ(got.shift.to_vector(), got.beta.to_vector());
}

// A mean a thousand deviations away: sums of squares in float32 would lose the variance altogether.
TEST(BatchNormSimt, MomentsOfALargeMean) {
  const Shape shape{4, 9, 60, 12};  // several blocks of pixels, so that partial results are joined too
  const simt::Surrounded z = simt::random_map(shape, {.seed = 6, .low = 999, .high = 1001});
  const ChannelMoments expected = double_moments(12);
  cpu::batch_norm_moments(simt::to_double(z), expected);
  simt::for_each_order([&] {
    const Tensor mean({12}), variance({12});
    simt::batch_norm_moments(z, {mean, variance});
    simt::expect_close({"mean", "large mean", 6}, mean, expected.mean, 1e-6);
    simt::expect_close({"variance", "large mean", 6}, variance, expected.variance, simt::kLimit);
  });
}

TEST(BatchNormSimt, MomentsPassNaN) {
  const simt::Surrounded z = simt::random_map({2, 3, 3, 4}, {.seed = 7});
  z.view().data<float>()[4 * 9 + 1] = std::nanf("");
  const Tensor mean({4}), variance({4});
  simt::batch_norm_moments(z, {mean, variance});
  for (int c = 0; c < 4; ++c) {
    EXPECT_EQ(std::isnan(mean.to_vector()[c]), c == 1);
    EXPECT_EQ(std::isnan(variance.to_vector()[c]), c == 1);
  }
}

TEST(BatchNormSimt, ScaleShiftAndRunningStatistics) {
  for (const int64_t c : {1, 19, 300}) {
    for (const int64_t count : {1, 2, 50}) {
      const auto vector = [&](uint64_t seed, double low) {
        return simt::random_map({c}, {.seed = seed, .low = low, .high = 3});
      };
      const simt::Surrounded mean = vector(1, -3), variance = vector(2, 0.1), gamma = vector(3, -3),
                             beta = vector(4, -3);
      const simt::Surrounded old_mean = vector(5, -3), old_var = vector(6, 0.1);
      const Tensor scale = simt::empty_double({c}), shift = simt::empty_double({c});
      const Tensor new_mean = simt::to_double(old_mean), new_var = simt::to_double(old_var);
      cpu::batch_norm_scale_shift(
          {simt::to_double(mean), simt::to_double(variance)},
          {simt::to_double(gamma), simt::to_double(beta), 1e-3, 0.1, count, new_mean, new_var, scale, shift});
      simt::for_each_order([&] {
        const simt::What what{"scale_shift", str(c, " channels, count ", count), 1};
        const simt::Surrounded got_scale = simt::empty_map({c}), got_shift = simt::empty_map({c});
        const simt::Surrounded got_mean = simt::copy_map(old_mean), got_var = simt::copy_map(old_var);
        simt::batch_norm_scale_shift({mean, variance},
                                     {gamma, beta, 1e-3, 0.1, count, got_mean, got_var, got_scale, got_shift});
        simt::expect_close(what, got_scale, scale, simt::kLimit);
        simt::expect_close(what, got_shift, shift, simt::kLimit);
        simt::expect_close(what, got_mean, new_mean, simt::kLimit);
        simt::expect_close(what, got_var, new_var, simt::kLimit);
        // Without running statistics: the same scale and shift.
        simt::batch_norm_scale_shift({mean, variance}, {gamma, beta, 1e-3, 0.1, count, {}, {}, got_scale, got_shift});
        simt::expect_close(what, got_scale, scale, simt::kLimit);
      });
    }
  }
}

void check_backward(const simt::MapCase& map, Activation activation, bool training) {
  const int64_t c = map.shape[-1];
  // z needs its values even where the gradient is otherwise plain.
  RawGradient gradient = simt::random_gradient(map.shape, {{true, activation}, false}, map.pitch, 2);
  const ChannelMoments moments{simt::random_map({c}, {.seed = 8}).view(),
                               simt::random_map({c}, {.seed = 9, .low = 0.2, .high = 2}).view()};
  const simt::Surrounded gamma = simt::random_map({c}, {.seed = 10, .low = 0.5, .high = 2});
  RawGradient reference = simt::to_double(gradient);
  reference.coefficients = simt::empty_double({3, c});
  const Tensor dgamma = simt::empty_double({c}), dbeta = simt::empty_double({c});
  cpu::batch_norm_backward(reference, {simt::to_double(moments.mean), simt::to_double(moments.variance)},
                           simt::to_double(gamma), 1e-3, training, dgamma, dbeta);
  simt::for_each_order([&] {
    const simt::Surrounded got_dgamma = simt::empty_map({c}), got_dbeta = simt::empty_map({c});
    const simt::Surrounded coefficients = simt::empty_map({3, c}, {.before = 1, .after = 2});
    gradient.coefficients = coefficients;
    simt::batch_norm_backward(gradient, moments, gamma, 1e-3, training, got_dgamma, got_dbeta);
    const simt::What what{"batch_norm_backward",
                          str(simt::name_of(activation), training ? ", training, " : ", frozen, ", describe(map)), 2};
    simt::expect_close(what, got_dgamma, dgamma, simt::kLimit);
    simt::expect_close(what, got_dbeta, dbeta, simt::kLimit);
    for (int row = 0; row < 3; ++row)
      simt::expect_close({what.op + " coefficients", what.test_case, 2}, coefficients.view().rows(row, 1),
                         reference.coefficients.rows(row, 1), simt::kLimit);
  });
}

TEST(BatchNormSimt, Backward) {
  for (const simt::MapCase& map : simt::kMaps) {
    check_backward(map, Activation::kRelu, true);
    check_backward(map, Activation::kNone, false);
    check_backward(map, Activation::kMish, true);
  }
}

TEST(BatchNormSimt, EmptyMapsStartNothing) {
  const Tensor none({0});
  simt::batch_norm_moments(Tensor({0, 3, 3, 0}), {none, none});
  simt::batch_norm_scale_shift({none, none}, {none, none, 1e-3, 0.1, 0, {}, {}, none, none});
  simt::batch_norm_backward({Tensor({2, 3, 3, 0}), Tensor({2, 3, 3, 0}), {}, Tensor({3, 0})}, {none, none}, none, 1e-3,
                            true, none, none);
}

}  // namespace
}  // namespace ghost
