// Random changes of one training picture. Everything is a function of the generator handed in, which the loader makes
// from (seed, epoch, sample); so the thread count and a resume change nothing.
#pragma once

#include <array>

#include "core/random.h"
#include "data/image.h"
#include "data/preprocess.h"

namespace ghost {

// Defaults change nothing but the crop and the mirror image. Order: crop and resize, flips, colour jitter, RandAugment,
// normalise, erase; mixup and cutmix work on the finished batch (mix.h).
struct AugmentOptions {
  // Share of the picture's area that a crop keeps, smallest and largest (Inception crop; torchvision's
  // RandomResizedCrop). {1, 1} with ratio {1, 1} is evaluation's resize and centre crop.
  std::array<float, 2> random_resized_crop{0.35f, 1.0f};
  std::array<float, 2> ratio{3.0f / 4.0f, 4.0f / 3.0f};  // width / height of a crop, smallest and largest
  float flip = 0.5f;                                     // probability of a mirror image
  float vertical_flip = 0.0f;                            // probability of top and bottom swapped
  float color_jitter = 0.0f;  // brightness, contrast and saturation are multiplied by 1 - x .. 1 + x, in random order
  float hue = 0.0f;           // hue is turned by -x .. x of the circle, 0..0.5
  int rand_augment_ops = 0;   // RandAugment (Cubuk et al. 2019): operations per picture, 0 is off
  float rand_augment_magnitude = 9.0f;  // their strength, 0..30
  float random_erasing = 0.0f;          // probability that a rectangle becomes the mean colour (Zhong et al. 2017)
  float mixup = 0.0f;                   // alpha of mixup's Beta distribution (Zhang et al. 2017), 0 is off
  float cutmix = 0.0f;                  // alpha of cutmix's (Yun et al. 2019), 0 is off
};

// Throws kUsage when a value is out of range.
void check_augment(const AugmentOptions& options);

struct CropRect {
  int left = 0, top = 0, width = 0, height = 0;
};
// torchvision's RandomResizedCrop.get_params: ten tries, then the largest centre crop of an allowed ratio.
CropRect random_crop(int width, int height, const AugmentOptions& options, Rng& rng);

// Brightness, contrast, saturation and hue in random order, as torchvision's ColorJitter.
void color_jitter(Image& image, float strength, float hue, Rng& rng);

// `ops` random operations of torchvision's RandAugment (14 operations, 31 magnitude steps).
void rand_augment(Image& image, int ops, float magnitude, Rng& rng);

// Overwrites a random rectangle of the normalised picture {height, width, 3} with 0, the mean colour; torchvision's
// RandomErasing: 2 to 33 % of the area, ratio 0.3 to 3.3.
void random_erase(float* pixels, int width, int height, Rng& rng);

// All of it: from a decoded picture to normalised floats {size, size, 3}. `scratch` keeps its memory between calls.
void augment(const Image& image, const Preprocess& preprocess, const AugmentOptions& options, Rng& rng, Image& scratch,
             float* out);

}  // namespace ghost
