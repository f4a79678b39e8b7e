// Antialiased resize with Pillow's numbers (Pillow 13, src/libImaging/Resample.c): separable, the filter widened by the
// scale when shrinking, 8-bit pixels with 22-bit fixed-point weights, rounded to 8 bits between the two passes. The
// result equals Image.resize(...) bit for bit, on every CPU.
#pragma once

#include "data/image.h"

namespace ghost {

enum class Interpolation {
  kBilinear,
  kBicubic,  // a = -0.5
};

// A rectangle of the source in pixels; edges may lie between pixels.
struct ResizeBox {
  float left = 0, top = 0, right = 0, bottom = 0;
};

// A rectangle of the result in whole pixels.
struct ResizeWindow {
  int left = 0, top = 0, width = 0, height = 0;
};

struct ResizeOptions {
  int width = 0, height = 0;  // of the whole result, >= 1
  Interpolation interpolation = Interpolation::kBilinear;
  // The part of the source that is stretched over the result; all of it when right is 0. The filter may reach beyond
  // the box into the source, as in Pillow. To cut first and resize then, pass a crop of the view.
  ResizeBox box{};
  // The part of the result that is computed and returned; all of it when width is 0. Equal to resizing and cutting
  // then.
  ResizeWindow window{};
};

// `out` gets the window's size; its memory is reused. It must not be the image that `source` looks at.
void resize(ImageView source, const ResizeOptions& options, Image& out);

}  // namespace ghost
