// RandAugment's operations and magnitudes, as in torchvision.transforms.RandAugment (nearest pixel, black outside).
#include <algorithm>
#include <cmath>

#include "data/augment.h"
#include "data/color.h"
#include "data/geometry.h"

namespace ghost {
namespace {

constexpr float kFullMagnitude = 30.0f;

enum class Operation {
  kIdentity,
  kShearX,
  kShearY,
  kTranslateX,
  kTranslateY,
  kRotate,
  kBrightness,
  kColor,
  kContrast,
  kSharpness,
  kPosterize,
  kSolarize,
  kAutoContrast,
  kEqualize,
  kCount
};

// `level` is the magnitude as a share, 0..1; `sign` is -1 or 1 and used where the operation has a direction.
void apply(Image& image, Operation operation, float level, float sign) {
  const float shear = sign * 0.3f * level, factor = 1.0f + sign * 0.9f * level;
  const auto shift = [&](int side) { return std::trunc(sign * (150.0f / 331.0f) * static_cast<float>(side) * level); };
  switch (operation) {
    case Operation::kShearX: return transform(image, {.b = shear});
    case Operation::kShearY: return transform(image, {.d = shear});
    case Operation::kTranslateX: return transform(image, {.c = -shift(image.width)});
    case Operation::kTranslateY: return transform(image, {.f = -shift(image.height)});
    case Operation::kRotate: return transform(image, rotation(sign * 30.0f * level, image.width, image.height));
    case Operation::kBrightness: return adjust_brightness(image, factor);
    case Operation::kColor: return adjust_saturation(image, factor);
    case Operation::kContrast: return adjust_contrast(image, factor);
    case Operation::kSharpness: return adjust_sharpness(image, factor);
    case Operation::kPosterize: return posterize(image, 8 - static_cast<int>(std::nearbyint(4.0f * level)));
    case Operation::kSolarize: return solarize(image, 255.0f * (1.0f - level));
    case Operation::kAutoContrast: return auto_contrast(image);
    case Operation::kEqualize: return equalize(image);
    case Operation::kIdentity:
    case Operation::kCount: return;
  }
}

}  // namespace

void rand_augment(Image& image, int ops, float magnitude, Rng& rng) {
  const float level = std::clamp(magnitude / kFullMagnitude, 0.0f, 1.0f);
  for (int i = 0; i < ops; ++i) {
    const auto operation = static_cast<Operation>(rng.below(static_cast<int64_t>(Operation::kCount)));
    const float sign = rng.chance(0.5f) ? -1.0f : 1.0f;
    apply(image, operation, level, sign);
  }
}

}  // namespace ghost
