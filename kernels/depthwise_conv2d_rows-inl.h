// Row loops of the depthwise convolution, compiled once per instruction set. A task handles its channels in strips of
// one vector; a strip's rows lie in scratch memory as [column][lane], with columns of zeros on both sides, so that no
// loop asks whether it stands at an edge.
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

// Loops take what they use by value: behind a reference it would be read again after every store.
template <class Act, class D, class V = hn::Vec<D>, class T = hn::TFromD<D>>
HWY_INLINE void epilogue_loop(Act act, Strip<D> strip, V scale, V shift, V gate, const T* HWY_RESTRICT z, int64_t pitch,
                              int64_t width, T* HWY_RESTRICT y) {
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < width; ++i)
    hn::Store(hn::Mul(activation_value(act, d, hn::MulAdd(scale, strip.load(z + i * pitch), shift)), gate), d,
              y + i * lanes);
}

// y = act(scale * z + shift) * gate of one row.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void load_epilogue_row(const Strip<D>& strip, const cpu::EpilogueView<T>& epilogue, int64_t image,
                                  const T* z, int64_t pitch, int64_t width, T* y) {
  const auto scale = strip.channels(epilogue.scale, 1), shift = strip.channels(epilogue.shift, 0);
  const auto gate = strip.channels(epilogue.gate ? epilogue.gate + image * epilogue.gate_pitch : nullptr, 1);
  visit_activation(epilogue.activation, [&](auto act) HWY_ATTR {
    epilogue_loop(act, strip, scale, shift, gate, z + strip.begin, pitch, width, y);
  });
}

// Per-channel factors of a raw gradient, for one strip.
template <class V>
struct GradientFactors {
  V scale, shift, a, b, d;
};

template <class Act, class D, class V = hn::Vec<D>, class T = hn::TFromD<D>>
HWY_INLINE void gradient_loop(Act act, Strip<D> strip, GradientFactors<V> of, const T* HWY_RESTRICT dy,
                              int64_t dy_pitch, const T* HWY_RESTRICT z, int64_t z_pitch, int64_t width,
                              T* HWY_RESTRICT dz) {
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < width; ++i) {
    const V value = strip.load(z + i * z_pitch);
    const V g = activation_gradient(act, d, hn::MulAdd(of.scale, value, of.shift), strip.load(dy + i * dy_pitch));
    hn::Store(hn::MulAdd(of.a, g, hn::MulAdd(of.b, value, of.d)), d, dz + i * lanes);
  }
}

// One row of dz from dy and z (feature.h, RawGradient).
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void load_gradient_row(const Strip<D>& strip, const cpu::GradientView<T>& gradient, const T* dy, const T* z,
                                  int64_t width, T* dz) {
  const D d;
  const auto one = constant(d, 1), zero = hn::Zero(d);
  dy += strip.begin;
  if (gradient.plain) return epilogue_loop(Identity{}, strip, one, zero, one, dy, gradient.dy.pitch, width, dz);
  const GradientFactors<hn::Vec<D>> factors{strip.channels(gradient.epilogue.scale, 1),
                                            strip.channels(gradient.epilogue.shift, 0), strip.channels(gradient.a, 1),
                                            strip.channels(gradient.b, 0), strip.channels(gradient.d, 0)};
  visit_activation(gradient.epilogue.activation, [&](auto act) HWY_ATTR {
    gradient_loop(act, strip, factors, dy, gradient.dy.pitch, z + strip.begin, gradient.z.pitch, width, dz);
  });
}

// One kernel row of a stencil: the first column it reads, and its taps, `tap_pitch` apart.
template <class T>
struct StencilRow {
  const T* x;
  const T* taps;
};

// What a stencil needs besides its rows.
struct StencilSize {
  int64_t row_count, width, stride, tap_pitch;
};

// kBlock neighbouring outputs of sum over rows and taps of x[column * stride + tap] * taps[tap]. kWidth, kStride 0: as
// given.
template <int kWidth, int kStride, int kBlock, class D, class T = hn::TFromD<D>>
HWY_INLINE void stencil_block(D d, const StencilRow<T>* rows, const StencilSize& size, int64_t column,
                              hn::Vec<D>* HWY_RESTRICT sums) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t taps = kWidth ? kWidth : size.width, step = (kStride ? kStride : size.stride) * lanes;
  for (int64_t r = 0; r < size.row_count; ++r) {
    const T* HWY_RESTRICT x = rows[r].x + column * step;
    const T* HWY_RESTRICT weight = rows[r].taps;
#pragma GCC unroll 8
    for (int64_t s = 0; s < taps; ++s) {
      const auto tap = hn::LoadU(d, weight + s * size.tap_pitch);
#pragma GCC unroll 8
      for (int b = 0; b < kBlock; ++b) sums[b] = hn::MulAdd(hn::Load(d, x + b * step + s * lanes), tap, sums[b]);
    }
  }
}

template <int kWidth, int kStride, int kBlock, class D, class Put, class T = hn::TFromD<D>>
HWY_INLINE void stencil_columns(D d, const StencilRow<T>* rows, const StencilSize& size, int64_t column,
                                hn::Vec<D> start, Put& put) {
  hn::Vec<D> sums[kBlock];
#pragma GCC unroll 8
  for (int b = 0; b < kBlock; ++b) sums[b] = start;
  stencil_block<kWidth, kStride, kBlock>(d, rows, size, column, sums);
#pragma GCC unroll 8
  for (int b = 0; b < kBlock; ++b) put(column + b, sums[b]);
}

// A whole row of outputs; put(column, sum) takes each and is given back.
template <int kWidth, int kStride, class D, class Put, class T = hn::TFromD<D>>
HWY_INLINE Put stencil_row(D d, const StencilRow<T>* rows, StencilSize size, int64_t columns, hn::Vec<D> start,
                           Put put) {
  int64_t column = 0;
  for (; column + 7 <= columns; column += 7)  // GhostNet's maps are multiples of 7 wide
    stencil_columns<kWidth, kStride, 7>(d, rows, size, column, start, put);
  for (; column + 2 <= columns; column += 2) stencil_columns<kWidth, kStride, 2>(d, rows, size, column, start, put);
  if (column < columns) stencil_columns<kWidth, kStride, 1>(d, rows, size, column, start, put);
  return put;
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
