// How a picture is fitted into a detector's input, the same way for evaluation, prediction and export.
#pragma once

#include "core/box.h"
#include "data/image.h"
#include "data/resize.h"

namespace ghost {

// How a picture lies in the network's input: x_input = x_picture * scale_x + left.
struct Letterbox {
  double scale_x = 1, scale_y = 1, left = 0, top = 0;
  Box to_input(const Box& picture) const;
  Box to_picture(const Box& input) const;
};
// One setting for training-time evaluation, val, predict and export. keep_ratio: scaled to fit, centred on grey 128;
// else stretched.
Letterbox letterbox_place(int width, int height, int input_width, int input_height, bool keep_ratio);
Letterbox letterbox(const Image& image, int input_size, bool keep_ratio, Interpolation interpolation, Image& out);

}  // namespace ghost
