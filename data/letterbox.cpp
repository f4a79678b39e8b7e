#include "data/letterbox.h"

#include <algorithm>

#include "core/error.h"
#include "data/draw.h"

namespace ghost {

Box Letterbox::to_input(const Box& b) const {
  return {b.left * scale_x + left, b.top * scale_y + top, b.right * scale_x + left, b.bottom * scale_y + top};
}

Box Letterbox::to_picture(const Box& b) const {
  return {(b.left - left) / scale_x, (b.top - top) / scale_y, (b.right - left) / scale_x, (b.bottom - top) / scale_y};
}

Letterbox letterbox_place(int width, int height, int input_width, int input_height, bool keep_ratio) {
  GHOST_CHECK(width >= 1 && height >= 1 && input_width >= 1 && input_height >= 1, "letterbox: a picture of ", width,
              "x", height, " cannot be put into ", input_width, "x", input_height);
  const double scale = std::min(static_cast<double>(input_width) / width, static_cast<double>(input_height) / height);
  const auto fitted = [&](int side, int input) {
    return keep_ratio ? std::clamp(static_cast<int>(side * scale + 1e-9), 1, input) : input;
  };
  const int w = fitted(width, input_width), h = fitted(height, input_height);
  return {static_cast<double>(w) / width, static_cast<double>(h) / height, static_cast<double>((input_width - w) / 2),
          static_cast<double>((input_height - h) / 2)};
}

Letterbox letterbox(const Image& image, int input_size, bool keep_ratio, Interpolation interpolation, Image& out) {
  const Letterbox place = letterbox_place(image.width, image.height, input_size, input_size, keep_ratio);
  const int w = static_cast<int>(image.width * place.scale_x + 0.5);
  const int h = static_cast<int>(image.height * place.scale_y + 0.5);
  if (w == input_size && h == input_size) {
    resize(image, {.width = w, .height = h, .interpolation = interpolation}, out);
    return place;
  }
  thread_local Image resized;
  resize(image, {.width = w, .height = h, .interpolation = interpolation}, resized);
  out.resize(input_size, input_size);
  fill_rect(out, 0, 0, input_size, input_size, {128, 128, 128});
  paste(out, resized, static_cast<int>(place.left), static_cast<int>(place.top));
  return place;
}

}  // namespace ghost
