#include "data/augment.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "data/color.h"
#include "data/geometry.h"

namespace ghost {
namespace {

constexpr int kTries = 10;

int round_to_int(double value) { return static_cast<int>(std::nearbyint(value)); }

double log_uniform(double low, double high, Rng& rng) {
  return std::exp(std::log(low) + (std::log(high) - std::log(low)) * static_cast<double>(rng.uniform()));
}

bool in_unit(float value) { return value >= 0 && value <= 1; }

// No random crop asked for: the picture is framed as in evaluation.
bool evaluation_frame(const AugmentOptions& o) {
  return o.random_resized_crop[0] >= 1 && o.random_resized_crop[1] >= 1 && o.ratio[0] == 1 && o.ratio[1] == 1;
}

}  // namespace

void check_augment(const AugmentOptions& o) {
  const auto& scale = o.random_resized_crop;
  GHOST_CHECK(scale[0] > 0 && scale[0] <= scale[1] && scale[1] <= 1, "random_resized_crop [", scale[0], ", ", scale[1],
              "] needs 0 < smallest <= largest <= 1");
  GHOST_CHECK(o.ratio[0] > 0 && o.ratio[0] <= o.ratio[1], "ratio [", o.ratio[0], ", ", o.ratio[1],
              "] needs 0 < smallest <= largest");
  GHOST_CHECK(in_unit(o.flip) && in_unit(o.vertical_flip) && in_unit(o.random_erasing),
              "flip, vertical_flip and random_erasing are probabilities, got ", o.flip, ", ", o.vertical_flip, ", ",
              o.random_erasing);
  GHOST_CHECK(in_unit(o.color_jitter), "color_jitter ", o.color_jitter, " is not in 0..1");
  GHOST_CHECK(o.hue >= 0 && o.hue <= 0.5f, "hue ", o.hue, " is not in 0..0.5");
  GHOST_CHECK(o.rand_augment_ops >= 0, "rand_augment_ops ", o.rand_augment_ops, " is below 0");
  GHOST_CHECK(o.rand_augment_magnitude >= 0 && o.rand_augment_magnitude <= 30, "rand_augment_magnitude ",
              o.rand_augment_magnitude, " is not in 0..30");
  GHOST_CHECK(o.mixup >= 0 && o.cutmix >= 0, "mixup and cutmix are not negative, got ", o.mixup, " and ", o.cutmix);
}

CropRect random_crop(int width, int height, const AugmentOptions& o, Rng& rng) {
  const double area = static_cast<double>(width) * height;
  for (int i = 0; i < kTries; ++i) {
    const double target = area * static_cast<double>(rng.uniform(o.random_resized_crop[0], o.random_resized_crop[1]));
    const double ratio = log_uniform(o.ratio[0], o.ratio[1], rng);
    const int w = round_to_int(std::sqrt(target * ratio)), h = round_to_int(std::sqrt(target / ratio));
    if (w < 1 || w > width || h < 1 || h > height) continue;
    const int top = static_cast<int>(rng.below(height - h + 1));
    return {static_cast<int>(rng.below(width - w + 1)), top, w, h};
  }
  CropRect rect{0, 0, width, height};
  const double ratio = static_cast<double>(width) / height, low = o.ratio[0], high = o.ratio[1];
  if (ratio < low) rect.height = std::clamp(round_to_int(width / low), 1, height);
  if (ratio > high) rect.width = std::clamp(round_to_int(height * high), 1, width);
  rect.left = (width - rect.width) / 2;
  rect.top = (height - rect.height) / 2;
  return rect;
}

void color_jitter(Image& image, float strength, float hue, Rng& rng) {
  std::array<int, 4> order{0, 1, 2, 3};
  for (int i = 3; i > 0; --i) std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(rng.below(i + 1))]);
  const auto factor = [&] { return rng.uniform(1.0f - strength, 1.0f + strength); };
  const float brightness = factor(), contrast = factor(), saturation = factor(), turn = rng.uniform(-hue, hue);
  for (const int step : order) {
    if (step == 3 && hue > 0) adjust_hue(image, turn);
    if (step == 3 || strength == 0) continue;
    if (step == 0) adjust_brightness(image, brightness);
    if (step == 1) adjust_contrast(image, contrast);
    if (step == 2) adjust_saturation(image, saturation);
  }
}

void random_erase(float* pixels, int width, int height, Rng& rng) {
  constexpr float kSmallest = 0.02f, kLargest = 0.33f;
  for (int i = 0; i < kTries; ++i) {
    const double area = static_cast<double>(width) * height * static_cast<double>(rng.uniform(kSmallest, kLargest));
    const double ratio = log_uniform(0.3, 3.3, rng);
    const int h = round_to_int(std::sqrt(area * ratio)), w = round_to_int(std::sqrt(area / ratio));
    if (h < 1 || w < 1 || h >= height || w >= width) continue;
    const int64_t top = rng.below(height - h + 1), left = rng.below(width - w + 1);
    for (int64_t y = top; y < top + h; ++y) std::fill_n(pixels + (y * width + left) * 3, int64_t{3} * w, 0.0f);
    return;
  }
}

void augment(const Image& image, const Preprocess& preprocess, const AugmentOptions& o, Rng& rng, Image& scratch,
             float* out) {
  if (evaluation_frame(o)) {
    resize_and_crop(image, preprocess, scratch);
  } else {
    const CropRect rect = random_crop(image.width, image.height, o, rng);
    resize(ImageView(image).crop(rect.left, rect.top, rect.width, rect.height),
           {.width = preprocess.size, .height = preprocess.size, .interpolation = preprocess.interpolation}, scratch);
  }
  if (rng.chance(o.flip)) flip_horizontal(scratch);
  if (rng.chance(o.vertical_flip)) flip_vertical(scratch);
  if (o.color_jitter > 0 || o.hue > 0) color_jitter(scratch, o.color_jitter, o.hue, rng);
  if (o.rand_augment_ops > 0) rand_augment(scratch, o.rand_augment_ops, o.rand_augment_magnitude, rng);
  normalize(scratch, preprocess, out);
  if (rng.chance(o.random_erasing)) random_erase(out, scratch.width, scratch.height, rng);
}

}  // namespace ghost
