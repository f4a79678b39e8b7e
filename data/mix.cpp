#include "data/mix.h"

#include <algorithm>
#include <cmath>

namespace ghost {
namespace {

// Marsaglia and Tsang, "A simple method for generating gamma variables" (2000); for alpha < 1 by
// Gamma(alpha) = Gamma(alpha + 1) * u^(1 / alpha), in logarithms since u^(1 / alpha) underflows for a small alpha.
double log_gamma_draw(double alpha, Rng& rng) {
  const auto open_uniform = [&] { return 1.0 - static_cast<double>(rng.uniform()); };  // (0, 1]
  const double boost = alpha < 1 ? std::log(open_uniform()) / alpha : 0.0;
  const double d = (alpha < 1 ? alpha + 1 : alpha) - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = rng.normal(), v = std::pow(1.0 + c * x, 3);
    if (v > 0 && std::log(open_uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v) + boost;
  }
}

}  // namespace

double sample_beta(double alpha, Rng& rng) {
  const double a = log_gamma_draw(alpha, rng), b = log_gamma_draw(alpha, rng);
  return 1.0 / (1.0 + std::exp(b - a));
}

void mixup(float* images, int64_t count, int64_t height, int64_t width, float mix) {
  const int64_t size = height * width * 3;
  for (int64_t i = 0; i < count / 2; ++i) {
    float* a = images + i * size;
    float* b = images + (count - 1 - i) * size;
    for (int64_t k = 0; k < size; ++k) {
      const float first = a[k], second = b[k];
      a[k] = mix * first + (1.0f - mix) * second;
      b[k] = mix * second + (1.0f - mix) * first;
    }
  }
}

float cutmix(float* images, int64_t count, int64_t height, int64_t width, float mix, Rng& rng) {
  const float side = std::sqrt(1.0f - mix);
  const auto half = [&](int64_t length) { return static_cast<int64_t>(side * static_cast<float>(length)) / 2; };
  const int64_t center_y = rng.below(height), center_x = rng.below(width);
  const int64_t top = std::max<int64_t>(center_y - half(height), 0), bottom = std::min(center_y + half(height), height);
  const int64_t left = std::max<int64_t>(center_x - half(width), 0), right = std::min(center_x + half(width), width);
  for (int64_t i = 0; i < count / 2; ++i) {
    float* a = images + i * height * width * 3;
    float* b = images + (count - 1 - i) * height * width * 3;
    for (int64_t y = top; y < bottom; ++y) {
      const int64_t from = (y * width + left) * 3, to = (y * width + right) * 3;
      std::swap_ranges(a + from, a + to, b + from);
    }
  }
  return 1.0f - static_cast<float>((bottom - top) * (right - left)) / static_cast<float>(height * width);
}

float mix_batch(float* images, int64_t count, int64_t height, int64_t width, const AugmentOptions& options, Rng& rng) {
  if (options.mixup <= 0 && options.cutmix <= 0) return 1.0f;
  const bool both = options.mixup > 0 && options.cutmix > 0;
  const bool cut = both ? rng.chance(0.5f) : options.cutmix > 0;
  const float mix = static_cast<float>(sample_beta(static_cast<double>(cut ? options.cutmix : options.mixup), rng));
  if (cut) return cutmix(images, count, height, width, mix, rng);
  mixup(images, count, height, width, mix);
  return mix;
}

}  // namespace ghost
