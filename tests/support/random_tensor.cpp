#include "tests/support/random_tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random.h"

namespace ghost::test {
namespace {

constexpr double kSentinel = -12345;

Shape widened(Shape shape, int64_t by) {
  shape.set(-1, shape[-1] + by);
  return shape;
}

}  // namespace

Tensor random_tensor(const Shape& shape, const TensorOptions& options, uint64_t seed, double low, double high,
                     const std::vector<double>& avoid) {
  Rng rng(seed, stream_id(0x7465737473));
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& value : values) {
    const auto too_near = [&](double kink) { return std::abs(value - kink) < 1e-2; };
    do {
      value = rng.uniform(static_cast<float>(low), static_cast<float>(high));
    } while (std::any_of(avoid.begin(), avoid.end(), too_near));
  }
  return Tensor::from(values, shape).to(options.dtype).to(options.device);
}

BatchNormState random_batch_norm_state(const Variable& gamma, const Variable& beta) {
  const TensorOptions like = gamma.value().options();
  return {gamma, beta, random_tensor(gamma.shape(), like, 91), random_tensor(gamma.shape(), like, 92, 0.5, 2)};
}

GuardedTensor::GuardedTensor(const Shape& shape, const TensorOptions& options, int64_t before, int64_t after)
    : whole_(Tensor::full(widened(shape, before + after), kSentinel, options)),
      view_(whole_.channels(before, shape[-1])),
      before_(before) {}

GuardedTensor::GuardedTensor(const Tensor& values, int64_t before, int64_t after)
    : GuardedTensor(values.shape(), values.options(), before, after) {
  view_.copy_from(values);
}

void GuardedTensor::expect_guard_untouched(const char* what) const {
  const std::vector<double> values = whole_.to_vector();
  const int64_t pitch = whole_.channels(), end = before_ + view_.channels();
  for (int64_t i = 0; i < whole_.numel(); ++i) {
    const int64_t c = i % pitch;
    if (c >= before_ && c < end) continue;
    ASSERT_EQ(values[static_cast<size_t>(i)], kSentinel) << what << " wrote outside its channels: pixel " << i / pitch
                                                         << ", channel " << c - before_ << " of " << view_.channels();
  }
}

}  // namespace ghost::test
