// Colour operations on RGB pictures, in place, with Pillow's numbers (ImageEnhance, ImageOps) as torchvision uses them.
// A factor of 1 changes nothing.
#pragma once

#include "data/image.h"

namespace ghost {

void adjust_brightness(Image& image, float factor);  // 0: black
void adjust_contrast(Image& image, float factor);    // 0: the mean grey
void adjust_saturation(Image& image, float factor);  // 0: grey picture
void adjust_sharpness(Image& image, float factor);   // 0: smoothed by a 3x3 filter; above 1 sharpens
// Turns the hue by `turn` of the colour circle, in [-0.5, 0.5], in 8-bit HSV.
void adjust_hue(Image& image, float turn);
// Keeps the `bits` high bits of every value, 1 to 8.
void posterize(Image& image, int bits);
// Inverts the values that are not below `threshold`.
void solarize(Image& image, float threshold);
// Stretches each channel to 0..255.
void auto_contrast(Image& image);
// Spreads each channel's histogram evenly.
void equalize(Image& image);

}  // namespace ghost
