// From a picture to the network's input. One object for training, evaluation, prediction and export; it travels in the
// weights, so that val and predict cannot disagree.
#pragma once

#include <array>

#include "data/image.h"
#include "data/resize.h"

namespace ghost {

struct Preprocess {
  int size = 224;                                     // height and width of the input, pixels
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};  // red, green, blue, in 0..1
  std::array<float, 3> std{0.229f, 0.224f, 0.225f};
  float crop_pct = 0.875f;  // evaluation: the shorter side becomes floor(size / crop_pct), then the centre is cut out
  Interpolation interpolation = Interpolation::kBilinear;
};

// Throws kUsage when a value is out of range.
void check_preprocess(const Preprocess& preprocess);

// Evaluation: resize the shorter side, cut the centre (torchvision's Resize and CenterCrop). `out` is size x size.
void resize_and_crop(ImageView image, const Preprocess& preprocess, Image& out);

// (value / 255 - mean) / std into `out`: image.height * image.width * 3 floats, NHWC.
void normalize(const Image& image, const Preprocess& preprocess, float* out);
// The way back, for pictures of batches; values are cut to 0..255.
Image denormalize(const float* pixels, int width, int height, const Preprocess& preprocess);

}  // namespace ghost
