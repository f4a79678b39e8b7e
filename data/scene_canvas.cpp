#include "data/scene_canvas.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ghost {
namespace {

float mix(float from, float to, float part) { return from + (to - from) * part; }

constexpr float kVisible = 0.25F;  // opacity from which a pixel belongs to the object

Shade draw_shade(Rng& rng) {
  constexpr float kBrightest = 90;
  return {rng.uniform(0, kBrightest), rng.uniform(0, kBrightest), rng.uniform(0, kBrightest)};
}

// Smooth noise in [0, 1): random values on a grid of `cell` pixels, between them smoothed.
class Clouds {
 public:
  Clouds(int width, int height, int cell, Rng& rng) : cell_(cell), columns_(width / cell + 2) {
    values_.resize(static_cast<size_t>(columns_) * static_cast<size_t>(height / cell + 2));
    for (float& value : values_) value = rng.uniform();
  }
  float at(int x, int y) const {
    const float u = smooth(x), v = smooth(y);
    const size_t i = static_cast<size_t>(y / cell_) * static_cast<size_t>(columns_) + static_cast<size_t>(x / cell_);
    const size_t below = i + static_cast<size_t>(columns_);
    return mix(mix(values_[i], values_[i + 1], u), mix(values_[below], values_[below + 1], u), v);
  }

 private:
  float smooth(int x) const {
    const float t = static_cast<float>(x % cell_) / static_cast<float>(cell_);
    return t * t * (3 - 2 * t);
  }
  int cell_, columns_;
  std::vector<float> values_;
};

uint8_t to_byte(float value) { return static_cast<uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F)); }

// Opacity of a scaled piece at a pixel: its grey, bilinear between the centres of its values.
class Piece {
 public:
  Piece(std::span<const uint8_t> values, int side, int width, bool mirror)
      : values_(values), side_(side), width_(width), mirror_(mirror) {}
  float at(int x, int y) const {
    const float u = place(mirror_ ? width_ - 1 - x : x), v = place(y);
    const int left = static_cast<int>(u), top = static_cast<int>(v);
    const float upper = mix(value(left, top), value(left + 1, top), u - static_cast<float>(left));
    const float lower = mix(value(left, top + 1), value(left + 1, top + 1), u - static_cast<float>(left));
    return mix(upper, lower, v - static_cast<float>(top)) / 255;
  }

 private:
  float place(int x) const {
    const float at = (static_cast<float>(x) + 0.5F) * static_cast<float>(side_) / static_cast<float>(width_) - 0.5F;
    return std::clamp(at, 0.0F, static_cast<float>(side_ - 1));
  }
  float value(int x, int y) const {
    x = std::min(x, side_ - 1);
    y = std::min(y, side_ - 1);
    return values_[static_cast<size_t>(y) * static_cast<size_t>(side_) + static_cast<size_t>(x)];
  }
  std::span<const uint8_t> values_;
  int side_, width_;
  bool mirror_;
};

float opacity(float grey) { return std::min(1.0F, grey * 4); }

}  // namespace

void draw_canvas(Image& image, Rng& rng) {
  const Shade one = draw_shade(rng), other = draw_shade(rng);
  const int64_t kind = rng.below(5);
  const float angle = rng.uniform(0, 6.2831853F), period = rng.uniform(6, 40), grain = rng.uniform(0, 12);
  const int cell = 4 + static_cast<int>(rng.below(28));
  const Clouds clouds(image.width, image.height, cell, rng);
  const float dx = std::cos(angle), dy = std::sin(angle),
              side = static_cast<float>(std::max(image.width, image.height));
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) {
      const float along = static_cast<float>(x) * dx + static_cast<float>(y) * dy;
      float part = 0;  // kind 0 is plain
      if (kind == 1) part = std::clamp(along / side * 0.5F + 0.5F, 0.0F, 1.0F);
      if (kind == 2) part = 0.5F + 0.5F * std::sin(along * 6.2831853F / period);
      if (kind == 3) part = static_cast<float>((x / cell + y / cell) % 2);
      if (kind == 4) part = clouds.at(x, y);
      const float noise = (rng.uniform() - 0.5F) * grain;
      for (size_t c = 0; c < 3; ++c) image.at(x, y)[c] = to_byte(mix(one[c], other[c], part) + noise);
    }
}

Box piece_box(std::span<const uint8_t> values, int side, int left, int top, int width, bool mirror) {
  const Piece piece(values, side, width, mirror);
  int first_x = width, first_y = width, last_x = -1, last_y = -1;
  for (int y = 0; y < width; ++y)
    for (int x = 0; x < width; ++x) {
      if (opacity(piece.at(x, y)) < kVisible) continue;
      first_x = std::min(first_x, x);
      last_x = std::max(last_x, x);
      first_y = std::min(first_y, y);
      last_y = std::max(last_y, y);
    }
  if (last_x < 0) return {};
  return {static_cast<double>(left + first_x), static_cast<double>(top + first_y),
          static_cast<double>(left + last_x + 1), static_cast<double>(top + last_y + 1)};
}

Box draw_piece(Image& image, std::span<const uint8_t> values, int side, int left, int top, int width, bool mirror,
               const Shade& color) {
  const Piece piece(values, side, width, mirror);
  for (int y = 0; y < width; ++y)
    for (int x = 0; x < width; ++x) {
      const float grey = piece.at(x, y), cover = opacity(grey);
      if (cover < kVisible) continue;
      uint8_t* pixel = image.at(left + x, top + y);
      for (size_t c = 0; c < 3; ++c)
        pixel[c] = to_byte(mix(static_cast<float>(pixel[c]), color[c] * (0.45F + 0.55F * grey), cover));
    }
  return piece_box(values, side, left, top, width, mirror);
}

}  // namespace ghost
