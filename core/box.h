// An axis-parallel rectangle in pixels, corners first and behind last: width is right - left. Origin at the upper left
// corner of the upper left pixel. Pictures' boxes, targets and detections all use it ("xyxy").
#pragma once

#include <algorithm>
#include <array>

namespace ghost {

struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;

  double width() const { return right - left; }
  double height() const { return bottom - top; }
  double area() const { return std::max(0.0, width()) * std::max(0.0, height()); }
  bool operator==(const Box&) const = default;
};

// The rectangle of a whole picture.
inline Box picture_box(int width, int height) {
  return {0, 0, static_cast<double>(width), static_cast<double>(height)};
}

// Width and height that a detector starts from, in pixels of the network's input.
using Anchor = std::array<double, 2>;

inline Box intersect(const Box& a, const Box& b) {
  return {std::max(a.left, b.left), std::max(a.top, b.top), std::min(a.right, b.right), std::min(a.bottom, b.bottom)};
}

// Shared area over joint area; 0 where both are empty.
inline double intersection_over_union(const Box& a, const Box& b) {
  const double shared = intersect(a, b).width() > 0 ? intersect(a, b).area() : 0;
  const double joint = a.area() + b.area() - shared;
  return joint > 0 ? shared / joint : 0;
}

}  // namespace ghost
