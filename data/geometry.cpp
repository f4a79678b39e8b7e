#include "data/geometry.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ghost {

void flip_horizontal(Image& image) {
  for (int y = 0; y < image.height; ++y) {
    uint8_t* left = image.row(y);
    uint8_t* right = left + ptrdiff_t{3} * (image.width - 1);
    for (; left < right; left += 3, right -= 3) std::swap_ranges(left, left + 3, right);
  }
}

void flip_vertical(Image& image) {
  const ptrdiff_t bytes = ptrdiff_t{3} * image.width;
  for (int top = 0, bottom = image.height - 1; top < bottom; ++top, --bottom)
    std::swap_ranges(image.row(top), image.row(top) + bytes, image.row(bottom));
}

void transform(Image& image, const Affine& affine) {
  const Image source = image;
  const auto fixed = [](double value) { return static_cast<int64_t>(std::floor(value * 65536.0 + 0.5)); };
  const int64_t a = fixed(affine.a), b = fixed(affine.b), d = fixed(affine.d), e = fixed(affine.e);
  int64_t row_x = fixed(affine.c + affine.a * 0.5 + affine.b * 0.5);
  int64_t row_y = fixed(affine.f + affine.d * 0.5 + affine.e * 0.5);
  for (int y = 0; y < image.height; ++y, row_x += b, row_y += e) {
    uint8_t* to = image.row(y);
    int64_t at_x = row_x, at_y = row_y;
    for (int x = 0; x < image.width; ++x, to += 3, at_x += a, at_y += d) {
      const int64_t from_x = at_x >> 16, from_y = at_y >> 16;
      const bool inside = from_x >= 0 && from_x < image.width && from_y >= 0 && from_y < image.height;
      if (inside)
        std::copy_n(source.at(static_cast<int>(from_x), static_cast<int>(from_y)), 3, to);
      else
        std::fill_n(to, 3, uint8_t{0});
    }
  }
}

Affine rotation(double degrees, int width, int height) {
  const double angle = -degrees * std::numbers::pi / 180.0;
  const double cosine = std::cos(angle), sine = std::sin(angle);
  const double center_x = width / 2.0, center_y = height / 2.0;
  return {cosine, sine,   center_x - cosine * center_x - sine * center_y,
          -sine,  cosine, center_y + sine * center_x - cosine * center_y};
}

}  // namespace ghost
