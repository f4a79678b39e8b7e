// A cell's logits to a box, once for both devices and for the loss and the detector alike.
#pragma once

#include <cmath>

#include "core/host_device.h"
#include "kernels/yolo_maps.h"

namespace ghost::yolo {

template <class T>
GHOST_HD inline T sigmoid(T x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

// Sizes are exp(t) of the anchor's; t is held in [-16, 16] so that areas and squares of sizes stay finite in float32.
// A NaN stays.
inline constexpr double kLargestSizeLogit = 16;
template <class T>
GHOST_HD inline bool size_logit_clamped(T t) {
  return t < T(-kLargestSizeLogit) || t > T(kLargestSizeLogit);
}
template <class T>
GHOST_HD inline T size_factor(T t) {
  if (size_logit_clamped(t)) t = t < 0 ? T(-kLargestSizeLogit) : T(kLargestSizeLogit);
  return std::exp(t);
}

// Centre and size, in the unit of the anchor's size and of `cell`'s width.
template <class T>
struct CentredBox {
  T x, y, w, h;
};

template <class T>
struct AnchorCell {
  T column, row;  // of the cell
  T stride;       // width of a cell
  T anchor_w, anchor_h;
};

template <class T>
GHOST_HD inline CentredBox<T> decode_box(const T* t, const AnchorCell<T>& cell) {
  return {(sigmoid(t[0]) + cell.column) * cell.stride, (sigmoid(t[1]) + cell.row) * cell.stride,
          size_factor(t[2]) * cell.anchor_w, size_factor(t[3]) * cell.anchor_h};
}

template <class T>
GHOST_HD inline bool is_finite(const CentredBox<T>& box) {
  return std::isfinite(box.x + box.y + box.w + box.h);
}

// Shared area over joint area. False comparisons make a NaN no overlap.
template <class T>
GHOST_HD inline T overlap(const CentredBox<T>& a, const CentredBox<T>& b) {
  const T left = std::fmax(a.x - a.w / 2, b.x - b.w / 2), right = std::fmin(a.x + a.w / 2, b.x + b.w / 2);
  const T top = std::fmax(a.y - a.h / 2, b.y - b.h / 2), bottom = std::fmin(a.y + a.h / 2, b.y + b.h / 2);
  if (!(right > left && bottom > top)) return 0;
  const T shared = (right - left) * (bottom - top);
  return shared / (a.w * a.h + b.w * b.h - shared);
}

// A map with its anchors. They are numbered ((image * h + row) * w + column) * 3 + anchor.
template <class T>
struct MapView {
  const T* data;
  int64_t pitch, h, w, classes;
  T stride, anchor_w[kYoloAnchors], anchor_h[kYoloAnchors];  // pixels
  int32_t map;

  GHOST_HD int64_t offset(int64_t a) const { return a / kYoloAnchors * pitch + a % kYoloAnchors * (5 + classes); }
  GHOST_HD int64_t image(int64_t a) const { return a / (h * w * kYoloAnchors); }
  // In pixels, or in units of cells.
  GHOST_HD CentredBox<T> box(int64_t a, bool cells) const {
    const int64_t pixel = a / kYoloAnchors;
    const T unit = cells ? T(1) : stride;
    const int64_t k = a % kYoloAnchors;  // no array element by k: on the device that would be local memory
    const T w_of_anchor = k == 0 ? anchor_w[0] : k == 1 ? anchor_w[1] : anchor_w[2];
    const T h_of_anchor = k == 0 ? anchor_h[0] : k == 1 ? anchor_h[1] : anchor_h[2];
    return decode_box(data + offset(a), {static_cast<T>(pixel % w), static_cast<T>(pixel / w % h), unit,
                                         w_of_anchor * unit / stride, h_of_anchor * unit / stride});
  }
};

template <class T>
MapView<T> map_view(const Tensor& x, int map, const std::vector<Anchor>& anchors) {
  MapView<T> view{
      x.data<T>(), x.pitch(), x.dim(1), x.dim(2), x.dim(3) / kYoloAnchors - 5, static_cast<T>(yolo_stride(map)),
      {},          {},        map};
  const size_t first = static_cast<size_t>(kYoloMaps - 1 - map) * kYoloAnchors;
  for (size_t k = 0; k < kYoloAnchors; ++k) {
    const Anchor& anchor = anchors[first + k];
    view.anchor_w[k] = static_cast<T>(anchor[0]);
    view.anchor_h[k] = static_cast<T>(anchor[1]);
  }
  return view;
}

}  // namespace ghost::yolo
