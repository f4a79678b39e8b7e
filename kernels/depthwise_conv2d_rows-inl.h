// Row loops of the depthwise convolution, compiled once per instruction set. A task handles its channels in strips of
// one vector; a strip's rows lie in scratch memory as [column][lane], with columns of zeros on both sides, so that no
// loop asks whether it stands at an edge. Feature maps are read and written a few columns at a time, all strips of
// them, so that memory sees neighbouring channels one after another.
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

constexpr int64_t kLoadColumns = 28;  // of a feature map's row, that one strip reads before the next one

// Loops take what they use by value: behind a reference it would be read again after every store.
template <class Act, class D, bool kWhole, class V = hn::Vec<D>, class T = hn::TFromD<D>>
HWY_INLINE void epilogue_loop(Act act, Strip<D, kWhole> strip, V scale, V shift, const T* HWY_RESTRICT z, int64_t pitch,
                              int64_t width, T* HWY_RESTRICT y) {
  const D d;
  const int64_t ahead = prefetch_distance(pitch);
  for (int64_t i = 0; i < width; ++i) {
    hwy::Prefetch(z + i * pitch + ahead);
    hn::Store(activation_value(act, d, hn::MulAdd(scale, strip.load(z + i * pitch), shift)), d, y + i * strip.kLanes);
  }
}

// y = act(scale * z + shift) * gate of `width` columns.
template <class D, bool kWhole, class T = hn::TFromD<D>>
HWY_INLINE void load_epilogue(const Strip<D, kWhole>& strip, const cpu::EpilogueView<T>& epilogue, int64_t image,
                              const T* z, int64_t pitch, int64_t width, T* y) {
  const D d;
  const auto scale = strip.channels(epilogue.scale, 1), shift = strip.channels(epilogue.shift, 0);
  visit_common_activation(epilogue.activation, [&](auto act) HWY_ATTR {
    epilogue_loop(act, strip, scale, shift, z + strip.begin, pitch, width, y);
  });
  if (!epilogue.gate) return;
  const auto gate = strip.load(epilogue.gate + image * epilogue.gate_pitch + strip.begin);
  for (int64_t i = 0; i < width; ++i, y += strip.kLanes) hn::Store(hn::Mul(hn::Load(d, y), gate), d, y);
}

// Per-channel factors of a raw gradient, for one strip.
template <class V>
struct GradientFactors {
  V scale, shift, a, b, d;
};

template <class Act, class D, bool kWhole, class V = hn::Vec<D>, class T = hn::TFromD<D>>
HWY_INLINE void gradient_loop(Act act, Strip<D, kWhole> strip, GradientFactors<V> of, const T* HWY_RESTRICT dy,
                              int64_t dy_pitch, const T* HWY_RESTRICT z, int64_t z_pitch, int64_t width,
                              T* HWY_RESTRICT dz) {
  const D d;
  const int64_t dy_ahead = prefetch_distance(dy_pitch), z_ahead = prefetch_distance(z_pitch);
  for (int64_t i = 0; i < width; ++i) {
    hwy::Prefetch(z + i * z_pitch + z_ahead);
    hwy::Prefetch(dy + i * dy_pitch + dy_ahead);
    const V value = strip.load(z + i * z_pitch);
    const V g = activation_gradient(act, d, hn::MulAdd(of.scale, value, of.shift), strip.load(dy + i * dy_pitch));
    hn::Store(hn::MulAdd(of.a, g, hn::MulAdd(of.b, value, of.d)), d, dz + i * strip.kLanes);
  }
}

// `width` columns of dz from dy and z (feature.h, RawGradient); z is not looked at where the gradient is plain.
template <class D, bool kWhole, class T = hn::TFromD<D>>
HWY_INLINE void load_raw_gradient(const Strip<D, kWhole>& strip, const cpu::GradientView<T>& gradient, const T* dy,
                                  const T* z, int64_t width, T* dz) {
  const D d;
  dy += strip.begin;
  if (gradient.plain)
    return epilogue_loop(Identity{}, strip, constant(d, 1), hn::Zero(d), dy, gradient.dy.pitch, width, dz);
  const GradientFactors<hn::Vec<D>> factors{strip.channels(gradient.epilogue.scale, 1),
                                            strip.channels(gradient.epilogue.shift, 0), strip.channels(gradient.a, 1),
                                            strip.channels(gradient.b, 0), strip.channels(gradient.d, 0)};
  visit_common_activation(gradient.epilogue.activation, [&](auto act) HWY_ATTR {
    gradient_loop(act, strip, factors, dy, gradient.dy.pitch, z + strip.begin, gradient.z.pitch, width, dz);
  });
}

// One kernel row of a stencil, of the first strip: the row it reads, and its taps.
template <class T>
struct StencilRow {
  const T* x;
  const T* taps;
};

// A stencil: its rows (`strip_pitch` and one vector of taps further on for each further strip), its taps per row,
// `tap_pitch` apart, how many columns it moves on by per output, and the column at which output 0 begins to read.
template <class T>
struct Stencil {
  const StencilRow<T>* rows;
  int64_t row_count, width, stride, first, strip_pitch, tap_pitch;
};

// kBlock neighbouring outputs, from `column` on, of sum over rows and taps of x[first + column * stride + tap] *
// taps[tap].// Each input is read once. kWidth, kStride 0: as the stencil says.
template <int kWidth, int kStride, int kBlock, class D, bool kWhole, class T = hn::TFromD<D>>
HWY_INLINE void stencil_block(const Strip<D, kWhole>& strip, const Stencil<T>& stencil, int64_t column,
                              hn::Vec<D>* HWY_RESTRICT sums) {
  using V = hn::Vec<D>;
  constexpr int64_t kLanes = Strip<D, kWhole>::kLanes;
  const D d;
  const int64_t step = (kStride ? kStride : stencil.stride) * kLanes;
  const int64_t x_offset = strip.index * stencil.strip_pitch + stencil.first * kLanes + column * step;
  for (int64_t r = 0; r < stencil.row_count; ++r) {
    const T* HWY_RESTRICT x = stencil.rows[r].x + x_offset;
    const T* HWY_RESTRICT weight = stencil.rows[r].taps + strip.index * kStripLanes<T>;
    if constexpr (kWidth > 0) {
      V taps[kWidth];
      unrolled<kWidth>([&](auto s) GHOST_UNROLLED { taps[s] = hn::LoadU(d, weight + s * stencil.tap_pitch); });
      unrolled<(kBlock - 1) * kStride + kWidth>([&](auto i) GHOST_UNROLLED {
        const V value = hn::Load(d, x + i * kLanes);
        unrolled<kBlock>([&](auto b) GHOST_UNROLLED {
          constexpr int kTap = i - b * kStride;
          if constexpr (kTap >= 0 && kTap < kWidth) sums[b] = hn::MulAdd(value, taps[kTap], sums[b]);
        });
      });
    } else {
      for (int64_t s = 0; s < stencil.width; ++s) {
        const V tap = hn::LoadU(d, weight + s * stencil.tap_pitch);
        unrolled<kBlock>(
            [&](auto b) GHOST_UNROLLED { sums[b] = hn::MulAdd(hn::Load(d, x + b * step + s * kLanes), tap, sums[b]); });
      }
    }
  }
}

template <int kWidth, int kStride, int kBlock, class D, bool kWhole, class Put, class T = hn::TFromD<D>>
HWY_INLINE void put_block(const Strip<D, kWhole>& strip, const Stencil<T>& stencil, int64_t column, hn::Vec<D> start,
                          Put& put) {
  hn::Vec<D> sums[kBlock];
  unrolled<kBlock>([&](auto b) GHOST_UNROLLED { sums[b] = start; });
  stencil_block<kWidth, kStride, kBlock>(strip, stencil, column, sums);
  unrolled<kBlock>([&](auto b) GHOST_UNROLLED { put(column + b, sums[b]); });
}

// Outputs [column, end) of a row; put(column, sum) takes each and is given back.
template <int kWidth, int kStride, class D, bool kWhole, class Put, class T = hn::TFromD<D>>
HWY_INLINE Put put_columns(Strip<D, kWhole> strip, Stencil<T> stencil, int64_t column, int64_t end, hn::Vec<D> start,
                           Put put) {
  for (; column + 7 <= end; column += 7)  // GhostNet's maps are multiples of 7 wide
    put_block<kWidth, kStride, 7>(strip, stencil, column, start, put);
  for (; column + 3 <= end; column += 3) put_block<kWidth, kStride, 3>(strip, stencil, column, start, put);
  for (; column < end; ++column) put_block<kWidth, kStride, 1>(strip, stencil, column, start, put);
  return put;
}

// Calls body(kWidth, kStride) with the constants of the fast cases, (0, 0) for all others; those will do for double
// too, which only checks of gradients use.
template <class T, class Body>
HWY_INLINE void visit_stencil(int64_t width, int64_t stride, const Body& body) {
  const std::integral_constant<int, 0> any;
  if constexpr (sizeof(T) > sizeof(float)) return body(any, any);
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
template <class T, class Body>
HWY_INLINE void visit_phase(int64_t width, const Body& body) {
  if constexpr (sizeof(T) > sizeof(float)) return body(std::integral_constant<int, 0>{});
  if (width == 1) return body(std::integral_constant<int, 1>{});
  if (width == 2) return body(std::integral_constant<int, 2>{});
  if (width == 3) return body(std::integral_constant<int, 3>{});
  if (width == 5) return body(std::integral_constant<int, 5>{});
  body(std::integral_constant<int, 0>{});
}

// The latest rows of a map, in rotation, of its columns [first, first + columns): those outside the map are zeros. Of
// each strip, row y lies in slot y % slots, and one more slot is a row of zeros.
template <class T>
struct RowRing {
  int64_t elements(int64_t strips) const { return strips * strip_pitch(); }
  int64_t strip_pitch() const { return (slots + 1) * columns * kStripLanes<T>; }

  // The first strip's row y.
  const T* row(int64_t y) const { return data + y % slots * columns * kStripLanes<T>; }
  const T* zero_row() const { return data + slots * columns * kStripLanes<T>; }

  // Fills row y of a map `width` wide: load(strip, column, count, to) for each strip, a few columns at a time.
  template <class Load>
  HWY_INLINE void fill(const cpu::DepthwiseTask& task, int64_t y, int64_t width, const Load& load) const {
    T* const to = data + y % slots * columns * kStripLanes<T>;
    const int64_t end = HWY_MIN(first + columns, width);
    for (int64_t column = HWY_MAX(first, 0); column < end; column += kLoadColumns)
      for_each_strip<T>(task.channel_begin, task.channel_end, [&](const auto& strip) HWY_ATTR {
        load(strip, column, HWY_MIN(kLoadColumns, end - column),
             to + strip.index * strip_pitch() + (column - first) * strip.kLanes);
      });
  }

  T* data;
  int64_t slots, columns, first;
  int64_t next = 0;  // the first row that is not loaded yet
};

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#endif  // once per target
