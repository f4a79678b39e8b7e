#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "kernels/pyramid_pool.h"

namespace ghost {
namespace {

constexpr int64_t kLane = 64;  // channels of a task

// The better of two candidates is the larger; of equal ones the earlier stays. NaN is larger than all.
template <class T>
void take_larger(const T* value, const int32_t* place, int64_t count, T* best, int32_t* best_place) {
  for (int64_t i = 0; i < count; ++i) {
    const bool better = value[i] > best[i] || (value[i] != value[i] && best[i] == best[i]);
    best[i] = better ? value[i] : best[i];
    best_place[i] = better ? place[i] : best_place[i];
  }
}

// One window size over some channels of one image: maxima along rows, then of these along columns.
template <class T>
class Windows {
 public:
  Windows(const Tensor& y, int64_t image, int64_t channel, int64_t count)
      : h_(y.dim(1)),
        w_(y.dim(2)),
        count_(count),
        pitch_(y.pitch()),
        x_(y.data<T>() + image * h_ * w_ * pitch_ + channel) {
    values_ = scratch<T>(0, h_ * w_ * kLane);
    places_ = scratch<int32_t>(1, h_ * w_ * kLane);
  }

  void along_rows(int radius) const {
    int32_t place[kLane];
    for (int64_t i = 0; i < h_; ++i)
      for (int64_t j = 0; j < w_; ++j) {
        T* const best = values_ + (i * w_ + j) * kLane;
        int32_t* const best_place = places_ + (i * w_ + j) * kLane;
        const int64_t first = std::max<int64_t>(0, j - radius), last = std::min(w_ - 1, j + radius);
        std::copy_n(x_ + (i * w_ + first) * pitch_, count_, best);
        std::fill_n(best_place, count_, static_cast<int32_t>(i * w_ + first));
        for (int64_t k = first + 1; k <= last; ++k) {
          std::fill_n(place, count_, static_cast<int32_t>(i * w_ + k));
          take_larger(x_ + (i * w_ + k) * pitch_, place, count_, best, best_place);
        }
      }
  }

  // out, out_places: at the image's first pixel; out_places may be null.
  void along_columns(int radius, T* out, int32_t* out_places, int64_t places_pitch) const {
    int32_t best_place[kLane];
    for (int64_t i = 0; i < h_; ++i)
      for (int64_t j = 0; j < w_; ++j) {
        T* const best = out + (i * w_ + j) * pitch_;
        const int64_t first = std::max<int64_t>(0, i - radius), last = std::min(h_ - 1, i + radius);
        std::copy_n(values_ + (first * w_ + j) * kLane, count_, best);
        std::copy_n(places_ + (first * w_ + j) * kLane, count_, best_place);
        for (int64_t k = first + 1; k <= last; ++k)
          take_larger(values_ + (k * w_ + j) * kLane, places_ + (k * w_ + j) * kLane, count_, best, best_place);
        if (out_places) std::copy_n(best_place, count_, out_places + (i * w_ + j) * places_pitch);
      }
  }

 private:
  int64_t h_, w_, count_, pitch_;
  const T* x_;
  T* values_;
  int32_t* places_;
};

template <class T>
void pool_lane(const Tensor& y, const std::vector<int>& sizes, const Tensor& places, int64_t image, int64_t begin) {
  const int64_t windows = static_cast<int64_t>(sizes.size()), c = y.channels() / (windows + 1);
  const int64_t count = std::min(kLane, c - begin), pixel = image * y.dim(1) * y.dim(2);
  const Windows<T> map(y, image, windows * c + begin, count);
  for (int64_t k = 0; k < windows; ++k) {
    const int radius = sizes[static_cast<size_t>(k)] / 2;
    map.along_rows(radius);
    map.along_columns(radius, y.data<T>() + pixel * y.pitch() + k * c + begin,
                      places.defined() ? places.data<int32_t>() + pixel * places.pitch() + k * c + begin : nullptr,
                      places.defined() ? places.pitch() : 0);
  }
}

template <class T>
void spread_lane(const Tensor& dy, const Tensor& places, const Tensor& dx, bool accumulate, int64_t image,
                 int64_t begin) {
  const int64_t c = dx.channels(), windows = places.channels() / c, pixels = dx.dim(1) * dx.dim(2);
  const int64_t count = std::min(kLane, c - begin);
  const T* const from = dy.data<T>() + image * pixels * dy.pitch() + begin;
  const int32_t* const place = places.data<int32_t>() + image * pixels * places.pitch() + begin;
  T* const to = dx.data<T>() + image * pixels * dx.pitch() + begin;
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    for (int64_t i = 0; i < count; ++i) {
      T& sum = to[pixel * dx.pitch() + i];
      const T own = from[pixel * dy.pitch() + windows * c + i];
      sum = accumulate ? sum + own : own;
    }
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    for (int64_t k = 0; k < windows; ++k)
      for (int64_t i = 0; i < count; ++i)
        to[place[pixel * places.pitch() + k * c + i] * dx.pitch() + i] += from[pixel * dy.pitch() + k * c + i];
}

// Runs body(image, first channel) over the map's lanes.
template <class Body>
void for_lanes(int64_t images, int64_t channels, const Body& body) {
  const int64_t lanes = (channels + kLane - 1) / kLane;
  parallel_for(images * lanes, [&](int64_t task) { body(task / lanes, task % lanes * kLane); });
}

}  // namespace

void cpu::pyramid_pool_forward(const Tensor& y, const std::vector<int>& sizes, const Tensor& places) {
  if (y.empty()) return;
  visit_float(y.dtype(), [&]<class T>(TypeTag<T>) {
    for_lanes(y.dim(0), y.channels() / (static_cast<int64_t>(sizes.size()) + 1),
              [&](int64_t image, int64_t begin) { pool_lane<T>(y, sizes, places, image, begin); });
  });
}

void cpu::pyramid_pool_backward(const Tensor& dy, const Tensor& places, const Tensor& dx, bool accumulate_dx) {
  if (dx.empty()) return;
  visit_float(dx.dtype(), [&]<class T>(TypeTag<T>) {
    for_lanes(dx.dim(0), dx.channels(),
              [&](int64_t image, int64_t begin) { spread_lane<T>(dy, places, dx, accumulate_dx, image, begin); });
  });
}

}  // namespace ghost
