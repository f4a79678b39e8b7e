// Batch norm's sums on the CPU. Work is cut into tiles of pixels and groups of channels whose size depends on the map
// alone; within a tile a strip of channels is one vector, and its sums stay in registers.
#include <cmath>

#include "core/parallel.h"
#include "core/simd_targets.h"
#include "kernels/batch_norm.h"
#include "kernels/channel_moments.h"
#include "kernels/channel_strips.h"
#include "kernels/widened.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/batch_norm_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/channel_strips-inl.h"

#ifndef GHOST_BATCH_NORM_CPU_TILE
#define GHOST_BATCH_NORM_CPU_TILE
namespace ghost::cpu {

// Pixels [begin, end) and channels [channel_begin, channel_end) of a map.
struct BatchNormTile {
  static constexpr int64_t kPixels = 256, kChannels = 64;
  static int64_t groups(int64_t channels) { return (channels + kChannels - 1) / kChannels; }
  static int64_t tiles(int64_t pixels) { return (pixels + kPixels - 1) / kPixels; }

  BatchNormTile(const Tensor& map, int64_t task)
      : tile(task / groups(map.channels())),
        begin(tile * kPixels),
        end(std::min(begin + kPixels, map.pixels())),
        channel_begin(task % groups(map.channels()) * kChannels),
        channel_end(std::min(channel_begin + kChannels, map.channels())) {}
  int64_t tile, begin, end, channel_begin, channel_end;
};

}  // namespace ghost::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {

constexpr int kUnroll = 2;  // independent sums, so that an addition need not wait for the one before

template <class D, class V = hn::Vec<D>>
HWY_INLINE V total_of(D, const V* sums) {
  return hn::Add(sums[0], sums[1]);
}

// Sum of term(pixel, chain) over `count` pixels; chain: which of the kUnroll sums it goes into.
template <class D, class Term, class V = hn::Vec<D>>
HWY_INLINE V sum_over(D d, int64_t count, const Term& term) {
  V sums[kUnroll] = {hn::Zero(d), hn::Zero(d)};
  int64_t pixel = 0;
  for (; pixel + kUnroll <= count; pixel += kUnroll)
#pragma GCC unroll 2
    for (int i = 0; i < kUnroll; ++i) sums[i] = hn::Add(sums[i], term(pixel + i, i));
  if (pixel < count) sums[0] = hn::Add(sums[0], term(pixel, 0));
  return total_of(d, sums);
}

// Means and squared deviations of one tile.
template <class T>
void moments_of_tile(const cpu::BatchNormTile& tile, const T* z, int64_t pitch, T* means, T* squares) {
  const int64_t count = tile.end - tile.begin;
  for_each_strip<T>(tile.channel_begin, tile.channel_end, [&](const auto& strip) HWY_ATTR {
    const auto d = strip.d;
    const T* const from = z + tile.begin * pitch + strip.begin;
    const auto sum = sum_over(d, count, [&](int64_t pixel, int) HWY_ATTR { return strip.load(from + pixel * pitch); });
    const auto mean = hn::Mul(sum, constant(d, 1.0 / static_cast<double>(count)));
    const auto square = sum_over(d, count, [&](int64_t pixel, int) HWY_ATTR {
      const auto deviation = hn::Sub(strip.load(from + pixel * pitch), mean);
      return hn::Mul(deviation, deviation);
    });
    strip.store(mean, means + strip.begin - tile.channel_begin);
    strip.store(square, squares + strip.begin - tile.channel_begin);
  });
}

void moments_of_tile_float(const cpu::BatchNormTile& tile, const float* z, int64_t pitch, float* means,
                           float* squares) {
  moments_of_tile(tile, z, pitch, means, squares);
}
void moments_of_tile_double(const cpu::BatchNormTile& tile, const double* z, int64_t pitch, double* means,
                            double* squares) {
  moments_of_tile(tile, z, pitch, means, squares);
}

template <class V>
struct GradientSums {
  V sum, product;
};

// Sums of g and of g * (z - center) of one strip. By value, so that the loop keeps all in registers.
template <class Act, class D, bool kWhole, class V = hn::Vec<D>, class T = hn::TFromD<D>>
HWY_INLINE GradientSums<V> gradient_sums(Act act, Strip<D, kWhole> strip, V scale, V shift, V center, const T* dy,
                                         int64_t dy_pitch, const T* z, int64_t z_pitch, int64_t count) {
  const D d;
  V product[kUnroll] = {hn::Zero(d), hn::Zero(d)};
  const V sum = sum_over(d, count, [&](int64_t pixel, int chain) HWY_ATTR {
    const V value = strip.load(z + pixel * z_pitch);
    const V g = activation_gradient(act, d, hn::MulAdd(scale, value, shift), strip.load(dy + pixel * dy_pitch));
    product[chain] = hn::MulAdd(g, hn::Sub(value, center), product[chain]);
    return g;
  });
  return {sum, total_of(d, product)};
}

// The same for two vectors of channels at once, so that no line of memory is asked for twice: the lines of a wide map's
// pixels drive each other out of the caches.
template <class Act, class T>
HWY_INLINE void gradient_sums_of_pair(Act act, const cpu::BatchNormTile& tile, const cpu::GradientView<T>& gradient,
                                      const T* mean, int64_t channel, T* sums, T* products) {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  const D d;
  V scale[2], shift[2], center[2], sum[2], product[2];
  for (int i = 0; i < 2; ++i) {
    const Strip<D, true> strip{d, i, channel + i * kStripLanes<T>, kStripLanes<T>};
    scale[i] = strip.channels(gradient.epilogue.scale, 1), shift[i] = strip.channels(gradient.epilogue.shift, 0);
    center[i] = strip.channels(mean, 0), sum[i] = product[i] = hn::Zero(d);
  }
  const T* dy = gradient.dy.data + tile.begin * gradient.dy.pitch + channel;
  const T* z = gradient.z.data + tile.begin * gradient.z.pitch + channel;
  for (int64_t pixel = tile.begin; pixel < tile.end; ++pixel, dy += gradient.dy.pitch, z += gradient.z.pitch) {
    unrolled<2>([&](auto i) GHOST_UNROLLED {
      const V value = hn::LoadU(d, z + i * kStripLanes<T>);
      const V g =
          activation_gradient(act, d, hn::MulAdd(scale[i], value, shift[i]), hn::LoadU(d, dy + i * kStripLanes<T>));
      sum[i] = hn::Add(sum[i], g);
      product[i] = hn::MulAdd(g, hn::Sub(value, center[i]), product[i]);
    });
  }
  for (int i = 0; i < 2; ++i) {
    hn::StoreU(sum[i], d, sums + channel + i * kStripLanes<T>);
    hn::StoreU(product[i], d, products + channel + i * kStripLanes<T>);
  }
}

// Sums over one tile of g = dy * act'(scale * z + shift) and of g * (z - mean), at their channels of `sums` and
// `products`.
template <class T>
void gradient_sums_of_tile(const cpu::BatchNormTile& tile, const cpu::GradientView<T>& gradient, const T* mean, T* sums,
                           T* products) {
  const int64_t dy_pitch = gradient.dy.pitch, z_pitch = gradient.z.pitch, count = tile.end - tile.begin;
  int64_t channel = tile.channel_begin;
  visit_common_activation(gradient.epilogue.activation, [&](auto act) HWY_ATTR {
    for (; channel + 2 * kStripLanes<T> <= tile.channel_end; channel += 2 * kStripLanes<T>)
      gradient_sums_of_pair(act, tile, gradient, mean, channel, sums, products);
  });
  for_each_strip<T>(channel, tile.channel_end, [&](const auto& strip) HWY_ATTR {
    const T* const dy = gradient.dy.data + tile.begin * dy_pitch + strip.begin;
    const T* const z = gradient.z.data + tile.begin * z_pitch + strip.begin;
    const auto scale = strip.channels(gradient.epilogue.scale, 1), shift = strip.channels(gradient.epilogue.shift, 0);
    const auto center = strip.channels(mean, 0);
    visit_common_activation(gradient.epilogue.activation, [&](auto act) HWY_ATTR {
      const auto result = gradient_sums(act, strip, scale, shift, center, dy, dy_pitch, z, z_pitch, count);
      strip.store(result.sum, sums + strip.begin);
      strip.store(result.product, products + strip.begin);
    });
  });
}

void gradient_sums_of_tile_float(const cpu::BatchNormTile& tile, const cpu::GradientView<float>& gradient,
                                 const float* mean, float* sums, float* products) {
  gradient_sums_of_tile(tile, gradient, mean, sums, products);
}
void gradient_sums_of_tile_double(const cpu::BatchNormTile& tile, const cpu::GradientView<double>& gradient,
                                  const double* mean, double* sums, double* products) {
  gradient_sums_of_tile(tile, gradient, mean, sums, products);
}

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ghost {

HWY_EXPORT(moments_of_tile_float);
HWY_EXPORT(moments_of_tile_double);
HWY_EXPORT(gradient_sums_of_tile_float);
HWY_EXPORT(gradient_sums_of_tile_double);

void cpu::batch_norm_moments(const Tensor& z, const ChannelMoments& moments) {
  if (is_half(z.dtype())) return batch_norm_moments(Widened::read(z), moments);
  const int64_t channels = z.channels(), tiles = BatchNormTile::tiles(z.pixels());
  visit_float(z.dtype(), [&]<class T>(TypeTag<T>) {
    MomentTiles<T> parts(tiles, channels);
    parallel_for(tiles * BatchNormTile::groups(channels), [&](int64_t task) {
      const BatchNormTile tile(z, task);
      T means[BatchNormTile::kChannels], squares[BatchNormTile::kChannels];
      if constexpr (std::is_same_v<T, float>)
        HWY_DYNAMIC_DISPATCH(moments_of_tile_float)(tile, z.data<T>(), z.pitch(), means, squares);
      else
        HWY_DYNAMIC_DISPATCH(moments_of_tile_double)(tile, z.data<T>(), z.pitch(), means, squares);
      parts.set(tile.tile, tile.channel_begin, tile.channel_end, means, squares, tile.end - tile.begin);
    });
    parts.combine(moments);
  });
}

void cpu::batch_norm_scale_shift(const ChannelMoments& moments, const ScaleShift& to) {
  // A single value has no unbiased variance; its biased one, 0, is kept instead of PyTorch's infinity.
  const double unbiased = to.count > 1 ? static_cast<double>(to.count) / static_cast<double>(to.count - 1) : 1.0;
  visit_float(to.scale.dtype(), [&]<class T>(TypeTag<T>) {
    const auto value = [](const Tensor& tensor, int64_t c) { return static_cast<double>(tensor.data<T>()[c]); };
    const auto update = [&](const Tensor& running, int64_t c, double batch) {
      if (running.defined())
        running.data<T>()[c] = static_cast<T>(value(running, c) + to.momentum * (batch - value(running, c)));
    };
    for (int64_t c = 0; c < to.scale.numel(); ++c) {
      const double mean = value(moments.mean, c), variance = value(moments.variance, c);
      const double factor = value(to.gamma, c) / std::sqrt(variance + to.eps);
      to.scale.data<T>()[c] = static_cast<T>(factor);
      to.shift.data<T>()[c] = static_cast<T>(value(to.beta, c) - mean * factor);
      update(to.running_mean, c, mean);
      update(to.running_var, c, variance * unbiased);
    }
  });
}

void cpu::batch_norm_backward(const RawGradient& dz_gradient, const ChannelMoments& moments, const Tensor& gamma,
                              double eps, bool training, const Tensor& dgamma, const Tensor& dbeta) {
  const Tensor& z = dz_gradient.z;
  if (is_half(z.dtype()))
    return batch_norm_backward(Widened::read(dz_gradient), moments, gamma, eps, training, dgamma, dbeta);
  const int64_t channels = z.channels(), tiles = BatchNormTile::tiles(z.pixels());
  visit_float(z.dtype(), [&]<class T>(TypeTag<T>) {
    std::vector<T> partials(static_cast<size_t>(tiles * 2 * channels));
    const GradientView<T> view(dz_gradient);
    const T* const mean = moments.mean.data<T>();
    parallel_for(tiles * BatchNormTile::groups(channels), [&](int64_t task) {
      const BatchNormTile tile(z, task);
      T *const sums = partials.data() + tile.tile * 2 * channels, *const products = sums + channels;
      if constexpr (std::is_same_v<T, float>)
        HWY_DYNAMIC_DISPATCH(gradient_sums_of_tile_float)(tile, view, mean, sums, products);
      else
        HWY_DYNAMIC_DISPATCH(gradient_sums_of_tile_double)(tile, view, mean, sums, products);
    });
    std::vector<double> totals(static_cast<size_t>(2 * channels));
    for (auto part = partials.begin(); part != partials.end(); part += 2 * channels)
      for (int64_t i = 0; i < 2 * channels; ++i) totals[static_cast<size_t>(i)] += static_cast<double>(part[i]);
    const double share = training && z.pixels() > 0 ? 1.0 / static_cast<double>(z.pixels()) : 0.0;
    T* const a = dz_gradient.coefficients.data<T>();
    const int64_t pitch = dz_gradient.coefficients.pitch();
    for (int64_t c = 0; c < channels; ++c) {
      const double inverse = 1.0 / std::sqrt(static_cast<double>(moments.variance.data<T>()[c]) + eps);
      const double sum = totals[static_cast<size_t>(c)], product = totals[static_cast<size_t>(channels + c)] * inverse;
      const double scale = static_cast<double>(gamma.data<T>()[c]) * inverse, b = -scale * inverse * product * share;
      dgamma.data<T>()[c] = static_cast<T>(product);
      dbeta.data<T>()[c] = static_cast<T>(sum);
      a[c] = static_cast<T>(scale);
      a[pitch + c] = static_cast<T>(b);
      a[2 * pitch + c] = static_cast<T>(-scale * sum * share - b * static_cast<double>(mean[c]));
    }
  });
}

}  // namespace ghost
#endif  // HWY_ONCE
