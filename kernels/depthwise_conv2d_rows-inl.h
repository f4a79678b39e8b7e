// Row loops of the depthwise convolution, compiled once per instruction set. A task handles its channels in strips of one
// vector; a strip's rows lie in scratch memory as [column][lane], with columns of zeros on both sides, so that no loop asks
// whether it stands at an edge.
#if defined(GHOST_DEPTHWISE_CONV2D_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GHOST_DEPTHWISE_CONV2D_ROWS_INL_H
#undef GHOST_DEPTHWISE_CONV2D_ROWS_INL_H
#else
#define GHOST_DEPTHWISE_CONV2D_ROWS_INL_H
#endif

#include <hwy/highway.h>

#include "kernels/channel_strips-inl.h"
#include "kernels/depthwise_conv2d_rows.h"

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// y = act(scale * z + shift) * gate of one row.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void load_epilogue_row(const Strip<D>& strip, const cpu::EpilogueView<T>& epilogue, int64_t image, const T* z,
                                  int64_t pitch, int64_t width, T* y) {
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto scale = strip.channels(epilogue.scale, 1), shift = strip.channels(epilogue.shift, 0);
  const auto gate = strip.channels(epilogue.gate ? epilogue.gate + image * epilogue.gate_pitch : nullptr, 1);
  z += strip.begin;
  visit_activation(epilogue.activation, [&](auto act) HWY_ATTR {
    for (int64_t i = 0; i < width; ++i) {
#ifdef PF
      hn::Prefetch(z + (i + PF) * pitch);
#endif
      hn::Store(hn::Mul(activation_value(act, d, hn::MulAdd(scale, strip.load(z + i * pitch), shift)), gate), d,
                y + i * lanes);
    }
  });
}

// One row of dz from dy and z (feature.h, RawGradient).
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void load_gradient_row(const Strip<D>& strip, const cpu::GradientView<T>& gradient, const T* dy, const T* z,
                                  int64_t width, T* dz) {
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), dy_pitch = gradient.dy.pitch, z_pitch = gradient.z.pitch;
  dy += strip.begin;
  if (gradient.plain) {
    for (int64_t i = 0; i < width; ++i) hn::Store(strip.load(dy + i * dy_pitch), d, dz + i * lanes);
    return;
  }
  z += strip.begin;
  const auto scale = strip.channels(gradient.epilogue.scale, 1), shift = strip.channels(gradient.epilogue.shift, 0);
  const auto a = strip.channels(gradient.a, 1), b = strip.channels(gradient.b, 0), c = strip.channels(gradient.d, 0);
  visit_activation(gradient.epilogue.activation, [&](auto act) HWY_ATTR {
    for (int64_t i = 0; i < width; ++i) {
      const auto value = strip.load(z + i * z_pitch);
      const auto g = activation_gradient(act, d, hn::MulAdd(scale, value, shift), strip.load(dy + i * dy_pitch));
      hn::Store(hn::MulAdd(a, g, hn::MulAdd(b, value, c)), d, dz + i * lanes);
    }
  });
}

// One kernel row of a stencil: the first column it reads, and its taps, `tap_pitch` apart.
template <class T>
struct StencilRow {
  const T* x;
  const T* taps;
};

// kBlock neighbouring outputs of sum over rows and taps of x[column * stride + tap] * taps[tap]. kWidth, kStride 0: as given.
template <int kWidth, int kStride, int kBlock, class D, class T = hn::TFromD<D>>
HWY_INLINE void stencil_block(D d, const StencilRow<T>* rows, int64_t row_count, int64_t width, int64_t stride,
                              int64_t tap_pitch, int64_t column, hn::Vec<D>* HWY_RESTRICT sums) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t taps = kWidth ? kWidth : width, step = (kStride ? kStride : stride) * lanes;
  for (int64_t r = 0; r < row_count; ++r) {
    const T* HWY_RESTRICT x = rows[r].x + column * step;
    const T* HWY_RESTRICT weight = rows[r].taps;
#pragma GCC unroll 8
    for (int64_t s = 0; s < taps; ++s) {
      const auto tap = hn::LoadU(d, weight + s * tap_pitch);
#pragma GCC unroll 8
      for (int b = 0; b < kBlock; ++b) sums[b] = hn::MulAdd(hn::Load(d, x + b * step + s * lanes), tap, sums[b]);
    }
  }
}

// A whole row of outputs; put(column, sum) takes each.
template <int kWidth, int kStride, class D, class Put, class T = hn::TFromD<D>>
HWY_INLINE void stencil_row(D d, const StencilRow<T>* rows, int64_t row_count, int64_t width, int64_t stride,
                            int64_t tap_pitch, int64_t columns, hn::Vec<D> start, const Put& put) {
  int64_t column = 0;
  const auto block = [&]<int kBlock>(std::integral_constant<int, kBlock>) HWY_ATTR {
    hn::Vec<D> sums[kBlock];
#pragma GCC unroll 8
    for (int b = 0; b < kBlock; ++b) sums[b] = start;
    stencil_block<kWidth, kStride, kBlock>(d, rows, row_count, width, stride, tap_pitch, column, sums);
#pragma GCC unroll 8
    for (int b = 0; b < kBlock; ++b) put(column + b, sums[b]);
    column += kBlock;
  };
  while (column + 7 <= columns) block(std::integral_constant<int, 7>{});  // GhostNet's maps are multiples of 7 wide
  while (column + 2 <= columns) block(std::integral_constant<int, 2>{});
  if (column < columns) block(std::integral_constant<int, 1>{});
}

// Calls body(kWidth, kStride) with the constants of the fast cases, (0, 0) for all others.
template <class Body>
HWY_INLINE void visit_stencil(int64_t width, int64_t stride, const Body& body) {
  const std::integral_constant<int, 0> any;
  const std::integral_constant<int, 1> one;
  const std::integral_constant<int, 2> two;
  const std::integral_constant<int, 3> three;
  const std::integral_constant<int, 5> five;
  if (width == 3 && stride == 1) return body(three, one);
  if (width == 3 && stride == 2) return body(three, two);
  if (width == 5 && stride == 1) return body(five, one);
  if (width == 5 && stride == 2) return body(five, two);
  body(any, any);
}

// The same for the row of taps that one phase of the input gradient has.
template <class Body>
HWY_INLINE void visit_phase(int64_t width, const Body& body) {
  if (width == 1) return body(std::integral_constant<int, 1>{});
  if (width == 2) return body(std::integral_constant<int, 2>{});
  if (width == 3) return body(std::integral_constant<int, 3>{});
  if (width == 5) return body(std::integral_constant<int, 5>{});
  body(std::integral_constant<int, 0>{});
}

// Rows [first, ...) of a map, in rotation: row y lies in slot y % slots of each strip.
template <class T>
struct RowRing {
  T* data;
  int64_t slots, columns, pad, lanes;  // columns: per row, `pad` zero columns in front; lanes of a full strip
  int64_t next = 0;                    // the first row that is not loaded yet

  static int64_t elements(int64_t strips, int64_t slots, int64_t columns, int64_t lanes) {
    return strips * slots * columns * lanes;
  }
  // Column 0 of row y.
  HWY_INLINE T* row(int64_t strip, int64_t y, int64_t strip_lanes) const {
    return data + ((strip * slots + y % slots) * columns) * lanes + pad * strip_lanes;
  }
  void clear(int64_t strips) const { std::fill_n(data, strips * slots * columns * lanes, T(0)); }
};

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#endif  // once per target
