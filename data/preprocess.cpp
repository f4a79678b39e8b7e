#include "data/preprocess.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "data/pixel_kernels.h"

namespace ghost {
namespace {

// Python's round(): halves go to the even number, as torchvision's CenterCrop does.
int round_half_even(double value) { return static_cast<int>(std::nearbyint(value)); }

}  // namespace

void check_preprocess(const Preprocess& p) {
  GHOST_CHECK(p.size >= 1 && p.size <= 16384, "input size ", p.size, " is not in 1..16384");
  GHOST_CHECK(p.crop_pct > 0 && p.crop_pct <= 1, "crop_pct ", p.crop_pct, " is not in (0, 1]");
  for (const float std : p.std) GHOST_CHECK(std > 0, "input std ", std, " is not above 0");
}

void resize_and_crop(ImageView image, const Preprocess& p, Image& out) {
  check_preprocess(p);
  GHOST_CHECK(image.width >= 1 && image.height >= 1, "the picture is ", image.width, "x", image.height);
  // 224 / 0.875f must be 256, not 255.99.
  const int shorter =
      static_cast<int>(std::floor(static_cast<double>(p.size) / static_cast<double>(p.crop_pct) + 1e-4));
  const bool wide = image.width > image.height;
  const int64_t longer = int64_t{shorter} * std::max(image.width, image.height) / std::min(image.width, image.height);
  GHOST_CHECK_AS(kData, longer <= (int64_t{1} << 24), "a picture of ", image.width, "x", image.height,
                 " is too narrow to be resized");
  ResizeOptions options{.width = wide ? static_cast<int>(longer) : shorter,
                        .height = wide ? shorter : static_cast<int>(longer),
                        .interpolation = p.interpolation};
  options.window = {round_half_even((options.width - p.size) / 2.0), round_half_even((options.height - p.size) / 2.0),
                    p.size, p.size};
  resize(image, options, out);
}

void normalize(const Image& image, const Preprocess& p, float* out) {
  float mean[3], scale[3];
  for (size_t c = 0; c < 3; ++c) {
    mean[c] = 255.0f * p.mean[c];
    scale[c] = 1.0f / (255.0f * p.std[c]);
  }
  normalize_pixels(image.pixels.data(), static_cast<int64_t>(image.pixels.size()), mean, scale, out);
}

Image denormalize(const float* pixels, int width, int height, const Preprocess& p) {
  Image image(width, height);
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    const float value = (pixels[i] * p.std[i % 3] + p.mean[i % 3]) * 255.0f;
    image.pixels[i] = static_cast<uint8_t>(std::lround(std::clamp(value, 0.0f, 255.0f)));
  }
  return image;
}

}  // namespace ghost
