#include "kernels/panel.h"

#include <algorithm>

#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/panel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/epilogue_rows-inl.h"

// Seen once, although the file is compiled once per instruction set.
#ifndef GHOST_KERNELS_PANEL_TABLE
#define GHOST_KERNELS_PANEL_TABLE
namespace ghost {

template <class T>
struct Block {  // a range of channels of a range of rows, and where its result goes
  int64_t channel, channels, row, rows;
  T* out;
  int64_t out_pitch;
};

template <class T>
struct PanelFunctions {
  void (*epilogue)(const Tensor& x, const cpu::RowEpilogue& epilogue, const Block<T>& block);
  void (*gradient)(const PanelGradient& gradient, const Block<T>& block);
  void (*moments)(const T* z, int64_t pitch, int64_t rows, int64_t channels, T* means, T* squares);
  void (*sums)(const T* z, int64_t pitch, int64_t rows, int64_t channels, T* sums);
};

}  // namespace ghost
#endif

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {
namespace {

template <class Act, class T>
void epilogue_block(const Tensor& x, const cpu::RowEpilogue& epilogue, const Block<T>& block) {
  const T *const scale = epilogue.scale.data<T>() + block.channel, *const shift =
                                                                       epilogue.shift.data<T>() + block.channel;
  const T* from = x.data<T>() + block.row * x.pitch() + block.channel;
  T* to = block.out;
  if (!epilogue.gate.defined()) {
    for (int64_t r = 0; r < block.rows; ++r, from += x.pitch(), to += block.out_pitch)
      epilogue_row<Act>(from, scale, shift, to, block.channels);
    return;
  }
  const int64_t image_pixels = x.dim(1) * x.dim(2);
  for (int64_t r = 0; r < block.rows; ++r, from += x.pitch(), to += block.out_pitch) {
    const T* const gate =
        epilogue.gate.data<T>() + (block.row + r) / image_pixels * epilogue.gate.pitch() + block.channel;
    gated_epilogue_row<Act>(from, scale, shift, gate, to, block.channels);
  }
}

template <class T>
void epilogue_of(const Tensor& x, const cpu::RowEpilogue& epilogue, const Block<T>& block) {
  visit_activation(epilogue.activation, [&]<class Act>(Act) { epilogue_block<Act>(x, epilogue, block); });
}

template <class Act, class T>
void gradient_block(const PanelGradient& gradient, const Block<T>& block) {
  const Tensor &dy_map = gradient.raw.dy, &z_map = gradient.raw.z;
  const auto of_channel = [&](const Tensor& values) { return values.data<T>() + block.channel; };
  const T *const scale = of_channel(gradient.epilogue.scale), *const shift = of_channel(gradient.epilogue.shift);
  const T* const abd[3] = {of_channel(gradient.a), of_channel(gradient.b), of_channel(gradient.d)};
  const T *dy = of_channel(dy_map) + block.row * dy_map.pitch(), *z = of_channel(z_map) + block.row * z_map.pitch();
  T* out = block.out;
  for (int64_t r = 0; r < block.rows; ++r, dy += dy_map.pitch(), z += z_map.pitch(), out += block.out_pitch)
    raw_gradient_row<Act>(dy, z, scale, shift, abd, out, block.channels);
}

template <class T>
void gradient_of(const PanelGradient& gradient, const Block<T>& block) {
  visit_activation(gradient.epilogue.activation, [&]<class Act>(Act) { gradient_block<Act>(gradient, block); });
}

// Sums of z - pivot and of its square over the rows, for kVectors vectors of channels. kStreams rows at a time, summed
// apart: one sum alone would wait for its own last addition.
template <int kVectors, int kStreams, class D, class T>
HWY_INLINE void deviation_sums(D d, const T* z, int64_t pitch, int64_t rows, T* sums, T* squares) {
  using V = hn::Vec<D>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  V start[kVectors], sum[kStreams][kVectors], square[kStreams][kVectors];
  for (int j = 0; j < kVectors; ++j) {
    start[j] = hn::LoadU(d, z + j * lanes);
    for (int s = 0; s < kStreams; ++s) sum[s][j] = square[s][j] = hn::Zero(d);
  }
  const auto add = [&](int s, const T* row) HWY_ATTR {
    HWY_UNROLL(4)
    for (int j = 0; j < kVectors; ++j) {
      const V deviation = hn::Sub(hn::LoadU(d, row + j * lanes), start[j]);
      sum[s][j] = hn::Add(sum[s][j], deviation);
      square[s][j] = hn::MulAdd(deviation, deviation, square[s][j]);
    }
  };
  int64_t r = 0;
  for (; r + kStreams <= rows; r += kStreams) {
    HWY_UNROLL(4)
    for (int s = 0; s < kStreams; ++s) add(s, z + (r + s) * pitch);
  }
  for (; r < rows; ++r) add(0, z + r * pitch);
  for (int j = 0; j < kVectors; ++j) {
    for (int s = 1; s < kStreams; ++s) {
      sum[0][j] = hn::Add(sum[0][j], sum[s][j]);
      square[0][j] = hn::Add(square[0][j], square[s][j]);
    }
    hn::StoreU(sum[0][j], d, sums + j * lanes);
    hn::StoreU(square[0][j], d, squares + j * lanes);
  }
}

// The first row is the pivot, so that a large mean does not eat the digits of the deviations.
template <class T>
void moments_of(const T* z, int64_t pitch, int64_t rows, int64_t channels, T* means, T* squares) {
  const hn::ScalableTag<T> full;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(full));
  constexpr int64_t kMaxWidth = 4 * hn::MaxLanes(full);
  T sum[kMaxWidth], square[kMaxWidth];
  const auto finish = [&](int64_t channel, int64_t count) {
    for (int64_t j = 0; j < count; ++j) {
      const double shift = static_cast<double>(sum[j]) / static_cast<double>(rows);
      means[channel + j] = static_cast<T>(static_cast<double>(z[channel + j]) + shift);
      squares[channel + j] =
          static_cast<T>(std::max(static_cast<double>(square[j]) - shift * static_cast<double>(sum[j]), 0.0));
    }
  };
  int64_t channel = 0;
  for (; channel + 4 * lanes <= channels; channel += 4 * lanes) {
    deviation_sums<4, 1>(full, z + channel, pitch, rows, sum, square);
    finish(channel, 4 * lanes);
  }
  for_vectors(full, channel, channels, [&](auto d, int64_t i) HWY_ATTR {
    deviation_sums<1, 4>(d, z + i, pitch, rows, sum, square);
    finish(i, static_cast<int64_t>(hn::Lanes(d)));
  });
}

template <class T>
void add_sums(const T* z, int64_t pitch, int64_t rows, int64_t channels, T* sums) {
  for_vectors(hn::ScalableTag<T>(), 0, channels, [&](auto d, int64_t i) HWY_ATTR {
    auto sum = hn::Zero(d);
    for (int64_t r = 0; r < rows; ++r) sum = hn::Add(sum, hn::LoadU(d, z + r * pitch + i));
    hn::StoreU(hn::Add(hn::LoadU(d, sums + i), sum), d, sums + i);
  });
}

template <class T>
PanelFunctions<T> functions() {
  return {&epilogue_of<T>, &gradient_of<T>, &moments_of<T>, &add_sums<T>};
}
PanelFunctions<float> panel_float_functions() { return functions<float>(); }
PanelFunctions<double> panel_double_functions() { return functions<double>(); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ghost {
namespace {

HWY_EXPORT(panel_float_functions);
HWY_EXPORT(panel_double_functions);

template <class T>
const PanelFunctions<T>& functions() {
  if constexpr (sizeof(T) == sizeof(float)) {
    static const PanelFunctions<float> chosen = HWY_DYNAMIC_DISPATCH(panel_float_functions)();
    return chosen;
  } else {
    static const PanelFunctions<double> chosen = HWY_DYNAMIC_DISPATCH(panel_double_functions)();
    return chosen;
  }
}

// Row `row` of a gradient's coefficients; without any, a is 1, b and d are 0.
Tensor coefficient_row(const RawGradient& gradient, int64_t row) {
  const int64_t channels = gradient.dy.channels();
  if (!gradient.coefficients.defined()) return Tensor::full({channels}, row == 0 ? 1 : 0, gradient.dy.options());
  return gradient.coefficients.rows(row, 1).reshape({channels});
}

}  // namespace

template <class T>
void panel_epilogue(const Tensor& x, const cpu::RowEpilogue& epilogue, int64_t channel, int64_t channels, int64_t row,
                    int64_t rows, T* out, int64_t out_pitch) {
  functions<T>().epilogue(x, epilogue, {channel, channels, row, rows, out, out_pitch});
}

PanelGradient::PanelGradient(const RawGradient& gradient)
    : raw(gradient),
      epilogue(gradient.dy, gradient.epilogue, 1),
      a(coefficient_row(gradient, 0)),
      b(coefficient_row(gradient, 1)),
      d(coefficient_row(gradient, 2)) {}

template <class T>
void panel_gradient(const PanelGradient& gradient, int64_t channel, int64_t channels, int64_t row, int64_t rows, T* out,
                    int64_t out_pitch) {
  functions<T>().gradient(gradient, {channel, channels, row, rows, out, out_pitch});
}

template <class T>
void panel_moments(const T* z, int64_t pitch, int64_t rows, int64_t channels, T* means, T* squares) {
  functions<T>().moments(z, pitch, rows, channels, means, squares);
}

template <class T>
void panel_sums(const T* z, int64_t pitch, int64_t rows, int64_t channels, T* sums) {
  functions<T>().sums(z, pitch, rows, channels, sums);
}

#define GHOST_INSTANTIATE(T)                                                                                   \
  template void panel_epilogue(const Tensor&, const cpu::RowEpilogue&, int64_t, int64_t, int64_t, int64_t, T*, \
                               int64_t);                                                                       \
  template void panel_gradient(const PanelGradient&, int64_t, int64_t, int64_t, int64_t, T*, int64_t);         \
  template void panel_moments(const T*, int64_t, int64_t, int64_t, T*, T*);                                    \
  template void panel_sums(const T*, int64_t, int64_t, int64_t, T*);
GHOST_INSTANTIATE(float)
GHOST_INSTANTIATE(double)
#undef GHOST_INSTANTIATE

}  // namespace ghost
#endif  // HWY_ONCE
