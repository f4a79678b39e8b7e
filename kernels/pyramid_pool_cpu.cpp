#include <algorithm>

#include "core/parallel.h"
#include "core/simd_targets.h"
#include "kernels/pyramid_pool.h"
#include "kernels/widened.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pyramid_pool_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/epilogue_rows-inl.h"

#ifndef GHOST_PYRAMID_POOL_CPU_LANE
#define GHOST_PYRAMID_POOL_CPU_LANE
namespace ghost::cpu {

inline constexpr int64_t kLane = 64;  // channels of a task

// Some channels of one image's pyramid: the map itself, a window's maxima and, where `places` is there, their places.
template <class T>
struct PoolLane {
  int64_t h, w, count;  // channels
  const T* x;
  T* out;
  int64_t pitch;  // of x and out
  int32_t* places;
  int64_t places_pitch;
};

}  // namespace ghost::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {
namespace {

// The better of two candidates is the larger; of equal ones the earlier stays. NaN is larger than all. A place is kept
// as a T, so that both are chosen by the same mask.
template <class V>
struct Best {
  V value, place;

  HWY_INLINE void take(V other, V other_place) {
    const auto stays = hn::Or(hn::Le(other, value), hn::IsNaN(value));
    value = hn::IfThenElse(stays, value, other);
    place = hn::IfThenElse(stays, place, other_place);
  }
};

template <class D, class V>
HWY_INLINE void store_places(D, V places, int32_t* to) {
  const hn::Rebind<int32_t, D> integers;
  if constexpr (sizeof(hn::TFromD<D>) == sizeof(int32_t))
    hn::StoreU(hn::ConvertTo(integers, places), integers, to);
  else
    hn::StoreU(hn::DemoteTo(integers, places), integers, to);
}

// Of each pixel the maximum among its neighbours in the row, and where that is.
template <class T>
void along_rows(const cpu::PoolLane<T>& lane, int64_t radius, T* values, T* places) {
  for (int64_t i = 0; i < lane.h; ++i) {
    for (int64_t j = 0; j < lane.w; ++j) {
      const int64_t row = i * lane.w, first = row + std::max<int64_t>(0, j - radius),
                    last = row + std::min(lane.w - 1, j + radius), to = (row + j) * cpu::kLane;
      for_vectors(hn::ScalableTag<T>(), 0, lane.count, [&](auto d, int64_t c) HWY_ATTR {
        Best<hn::Vec<decltype(d)>> best{hn::LoadU(d, lane.x + first * lane.pitch + c),
                                        hn::Set(d, static_cast<T>(first))};
        for (int64_t k = first + 1; k <= last; ++k)
          best.take(hn::LoadU(d, lane.x + k * lane.pitch + c), hn::Set(d, static_cast<T>(k)));
        hn::StoreU(best.value, d, values + to + c);
        hn::StoreU(best.place, d, places + to + c);
      });
    }
  }
}

template <class T>
void along_columns(const cpu::PoolLane<T>& lane, int64_t radius, const T* values, const T* places) {
  for (int64_t i = 0; i < lane.h; ++i) {
    for (int64_t j = 0; j < lane.w; ++j) {
      const int64_t pixel = i * lane.w + j, first = std::max<int64_t>(0, i - radius),
                    last = std::min(lane.h - 1, i + radius);
      for_vectors(hn::ScalableTag<T>(), 0, lane.count, [&](auto d, int64_t c) HWY_ATTR {
        const int64_t top = (first * lane.w + j) * cpu::kLane + c, bottom = (last * lane.w + j) * cpu::kLane + c;
        Best<hn::Vec<decltype(d)>> best{hn::LoadU(d, values + top), hn::LoadU(d, places + top)};
        for (int64_t at = top; at < bottom;) {
          at += lane.w * cpu::kLane;
          best.take(hn::LoadU(d, values + at), hn::LoadU(d, places + at));
        }
        hn::StoreU(best.value, d, lane.out + pixel * lane.pitch + c);
        if (lane.places) store_places(d, best.place, lane.places + pixel * lane.places_pitch + c);
      });
    }
  }
}

template <class T>
void pool_lane(const cpu::PoolLane<T>& lane, int64_t radius) {
  T* const values = scratch<T>(0, lane.h * lane.w * cpu::kLane);
  T* const places = scratch<T>(1, lane.h * lane.w * cpu::kLane);
  along_rows(lane, radius, values, places);
  along_columns(lane, radius, values, places);
}

}  // namespace

void pool_lane_float(const cpu::PoolLane<float>& lane, int64_t radius) { pool_lane(lane, radius); }
void pool_lane_double(const cpu::PoolLane<double>& lane, int64_t radius) { pool_lane(lane, radius); }

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ghost {
namespace {

using cpu::kLane;

HWY_EXPORT(pool_lane_float);
HWY_EXPORT(pool_lane_double);

// All windows over the channels from `begin` of one image.
template <class T>
void pool_windows(const Tensor& y, const std::vector<int>& sizes, const Tensor& places, int64_t image, int64_t begin) {
  const int64_t windows = static_cast<int64_t>(sizes.size()), c = y.channels() / (windows + 1);
  const int64_t pixel = image * y.dim(1) * y.dim(2);
  T* const first = y.data<T>() + pixel * y.pitch() + begin;
  int32_t* const place = places.defined() ? places.data<int32_t>() + pixel * places.pitch() + begin : nullptr;
  for (int64_t k = 0; k < windows; ++k) {
    const cpu::PoolLane<T> lane{y.dim(1),      y.dim(2),  std::min(kLane, c - begin),      first + windows * c,
                                first + k * c, y.pitch(), place ? place + k * c : nullptr, place ? places.pitch() : 0};
    const int64_t radius = sizes[static_cast<size_t>(k)] / 2;
    if constexpr (std::is_same_v<T, float>)
      HWY_DYNAMIC_DISPATCH(pool_lane_float)(lane, radius);
    else
      HWY_DYNAMIC_DISPATCH(pool_lane_double)(lane, radius);
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
  if (is_half(y.dtype())) {
    Widened half;
    return pyramid_pool_forward(half.write(y, true), sizes, places);
  }
  GHOST_ASSERT(y.dim(1) * y.dim(2) <= 1 << 24, "a place of ", y.dim(1), "x", y.dim(2), " is no exact float");
  visit_float(y.dtype(), [&]<class T>(TypeTag<T>) {
    for_lanes(y.dim(0), y.channels() / (static_cast<int64_t>(sizes.size()) + 1),
              [&](int64_t image, int64_t begin) { pool_windows<T>(y, sizes, places, image, begin); });
  });
}

void cpu::pyramid_pool_backward(const Tensor& dy, const Tensor& places, const Tensor& dx, bool accumulate_dx) {
  if (dx.empty()) return;
  if (is_half(dx.dtype())) {
    Widened half;
    return pyramid_pool_backward(half.read(dy), places, half.write(dx, accumulate_dx), accumulate_dx);
  }
  visit_float(dx.dtype(), [&]<class T>(TypeTag<T>) {
    for_lanes(dx.dim(0), dx.channels(),
              [&](int64_t image, int64_t begin) { spread_lane<T>(dy, places, dx, accumulate_dx, image, begin); });
  });
}

}  // namespace ghost
#endif  // HWY_ONCE
