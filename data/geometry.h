// Geometric operations on RGB pictures that keep the size, in place. What comes from outside is black.
#pragma once

#include "data/image.h"

namespace ghost {

void flip_horizontal(Image& image);
void flip_vertical(Image& image);

// x_in = a x + b y + c, y_in = d x + e y + f in pixels, at pixel centres; the nearest pixel, in Pillow's 16-bit fixed
// point (Image.transform with AFFINE and NEAREST).
struct Affine {
  double a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;
};
void transform(Image& image, const Affine& affine);

// The matrix that turns the picture counter-clockwise around its centre.
Affine rotation(double degrees, int width, int height);

}  // namespace ghost
