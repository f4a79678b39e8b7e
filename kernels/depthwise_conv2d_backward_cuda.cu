#include "kernels/cuda_depthwise.h"

namespace ghost {
namespace cuda {
namespace {

__device__ unsigned tickets[kColumns];

// Where the weight's and the bias's gradient go; null: not wanted.
struct WeightOutputs {
  float *dweight, *dbias;  // {c, taps}, {c}
  int64_t taps;

  __device__ void write(int64_t tap, int64_t channel, float sum) const {
    if (tap == taps) {
      if (dbias != nullptr) dbias[channel] = sum;
    } else if (dweight != nullptr) {
      dweight[channel * taps + tap] = sum;
    }
  }
};

// dx = addend (or nothing, where it is null) + sum, at a pixel.
template <int V, class S>
__device__ void store_sum(const MapOf<S>& dx, const ConstMapOf<S>& addend, int64_t pixel, int64_t channel,
                          Pack<V> sum) {
  if (addend.data != nullptr) {
    const Pack<V> start = load<V>(addend.data + pixel * addend.pitch + channel);
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) sum.v[i] += start.v[i];
  }
  store(dx.data + pixel * dx.pitch + channel, sum);
}

// dx[n,p,q] = sum_{r,s} dz[n, (p + top - r) / S, (q + left - s) / S] weight[r,s] over whole quotients. A strip begins
// at a multiple of kStrip of q + left, so which taps meet which of its pixels is known when compiling.
template <class T, int K, int S, class Act>
__global__ void __launch_bounds__(kMapThreads)
    depthwise_input_strip_kernel(DeviceRawGradient<T, Act> gradient, const float* weight, DepthwiseSize size,
                                 unsigned strips, ConstMapOf<T> addend, MapOf<T> dx) {
  GHOST_DYNAMIC_SHARED(float, weights);
  load_weights<K * K>(weight, size.channels, weights);
  const int64_t channel = first_channel<kLanes>();
  if (channel >= size.channels) return;
  const int width = blockDim.x * kLanes;
  const ChannelGradient<kLanes, T, Act> of_channels(gradient, channel);
  const unsigned per_row = (size.in_w + size.pad_left + kStrip - 1) / kStrip;
  constexpr int kFirst = -((K - 1) / S);  // columns of dz that reach the strip, from strip.column / S

  for (unsigned index = first_pixel(); index < strips; index += pixel_step()) {
    const Strip strip = strip_at(index, per_row, size.in_h);
    Pack<kLanes> sums[kStrip];
    GHOST_UNROLL
    for (int t = 0; t < kStrip; ++t) sums[t] = splat<kLanes>(0);
    const int padded_row = strip.row + size.pad_top;
    GHOST_NO_UNROLL
    for (int r = padded_row % S; r < K; r += S) {
      const int row = (padded_row - r) / S;
      if (padded_row < r || row >= size.out_h) continue;
      Pack<kLanes> taps[K];
      GHOST_UNROLL
      for (int s = 0; s < K; ++s) taps[s] = load<kLanes>(weights + (r * K + s) * width + threadIdx.x * kLanes);
      const int64_t line = (static_cast<int64_t>(strip.n) * size.out_h + row) * size.out_w;
      GHOST_UNROLL
      for (int j = kFirst; j <= (kStrip - 1) / S; ++j) {
        const int column = strip.column / S + j;
        if (column < 0 || column >= size.out_w) continue;
        const Pack<kLanes> dz = of_channels.value(line + column);
        GHOST_UNROLL
        for (int t = 0; t < kStrip; ++t)
          if (t - j * S >= 0 && t - j * S < K) multiply_add(sums[t], dz, taps[t - j * S]);
      }
    }
    const int64_t line = (static_cast<int64_t>(strip.n) * size.in_h + strip.row) * size.in_w;
    GHOST_UNROLL
    for (int t = 0; t < kStrip; ++t) {
      const int column = strip.column + t - size.pad_left;
      if (column >= 0 && column < size.in_w) store_sum(dx, addend, line + column, channel, sums[t]);
    }
  }
}

template <class T, class Act>
__global__ void depthwise_input_plain_kernel(DeviceRawGradient<T, Act> gradient, const float* weight,
                                             DepthwiseSize size, unsigned pixels, ConstMapOf<T> addend, MapOf<T> dx) {
  const int64_t source = first_channel<1>();
  if (source >= size.channels / size.multiplier) return;
  for (unsigned pixel = first_pixel(); pixel < pixels; pixel += pixel_step()) {
    const unsigned line = pixel / size.in_w;
    const int n = line / size.in_h;
    const int padded_row = line % size.in_h + size.pad_top, padded_column = pixel % size.in_w + size.pad_left;
    Pack<1> sum = splat<1>(0);
    for (int64_t channel = source * size.multiplier; channel < (source + 1) * size.multiplier; ++channel) {
      const ChannelGradient<1, T, Act> of_channel(gradient, channel);
      for (int r = padded_row % size.stride; r < size.kernel_h && r <= padded_row; r += size.stride) {
        const int row = (padded_row - r) / size.stride;
        if (row >= size.out_h) continue;
        for (int s = padded_column % size.stride; s < size.kernel_w && s <= padded_column; s += size.stride) {
          const int column = (padded_column - s) / size.stride;
          if (column >= size.out_w) continue;
          const int64_t at = (static_cast<int64_t>(n) * size.out_h + row) * size.out_w + column;
          sum.v[0] += of_channel.value(at).v[0] * weight[(channel * size.kernel_h + r) * size.kernel_w + s];
        }
      }
    }
    store_sum(dx, addend, pixel, source, sum);
  }
}

// partials {parts, K * K + 1, c}: dweight's taps, then dbias. threadIdx.z is the kernel row, so that a thread keeps
// K sums instead of K * K; the threads of the other rows find dz in the cache.
template <class T, int K, int S, class ActX, class ActZ>
__global__ void __launch_bounds__(kSumThreads)
    depthwise_weight_strip_kernel(ConstMapOf<T> x, DeviceEpilogue<ActX> epilogue, DeviceRawGradient<T, ActZ> gradient,
                                  DepthwiseSize size, unsigned strips, float* partials, WeightOutputs out) {
  GHOST_DYNAMIC_SHARED(Sum<kLanes>, shared);
  const int64_t channel = first_channel<kLanes>();
  const bool active = channel < size.channels;
  const int r = threadIdx.z;
  ChannelEpilogue<kLanes, ActX> of_x(epilogue, active ? channel : 0);
  const ChannelGradient<kLanes, T, ActZ> of_z(gradient, active ? channel : 0);
  const unsigned per_row = (size.out_w + kStrip - 1) / kStrip;
  Sum<kLanes> taps[K], bias = zero_sum<kLanes>();
  GHOST_UNROLL
  for (int s = 0; s < K; ++s) taps[s] = zero_sum<kLanes>();

  for (unsigned index = first_pixel(); active && index < strips; index += pixel_step()) {
    const Strip strip = strip_at(index, per_row, size.out_h);
    const int row = strip.row * S - size.pad_top + r, left = strip.column * S - size.pad_left;
    const bool inside = row >= 0 && row < size.in_h;
    if (!inside && r != 0) continue;  // row 0 also adds up the bias
    const int64_t first = (static_cast<int64_t>(strip.n) * size.out_h + strip.row) * size.out_w + strip.column;
    Pack<kLanes> dz[kStrip];
    GHOST_UNROLL
    for (int t = 0; t < kStrip; ++t) {
      dz[t] = strip.column + t < size.out_w ? of_z.value(first + t) : splat<kLanes>(0);
      bias.add(dz[t]);
    }
    if (!inside) continue;
    of_x.set_image(strip.n);
    const T* const line = x.data + (static_cast<int64_t>(strip.n) * size.in_h + row) * size.in_w * x.pitch + channel;
    GHOST_UNROLL
    for (int j = 0; j < (kStrip - 1) * S + K; ++j) {
      if (left + j < 0 || left + j >= size.in_w) continue;
      const Pack<kLanes> y = of_x.value(load<kLanes>(line + (left + j) * x.pitch));
      GHOST_UNROLL
      for (int t = 0; t < kStrip; ++t)
        if (j - t * S >= 0 && j - t * S < K) multiply_add(taps[j - t * S], y, dz[t]);
    }
  }

  const int column = r * blockDim.x + threadIdx.x, columns = K * blockDim.x;
  const int64_t part_size = (K * K + 1) * size.channels;
  const auto tap_of = [&](int s) { return s < K ? r * K + s : K * K; };
  GHOST_UNROLL
  for (int s = 0; s <= K; ++s) {
    Sum<kLanes> sum = s < K ? taps[s] : bias;
    fold_rows(sum, shared, threadIdx.y, blockDim.y, column, columns);
    if (threadIdx.y == 0 && active && (s < K || r == 0))
      store(partials + blockIdx.y * part_size + tap_of(s) * size.channels + channel, sum);
  }
  if (!last_of_column(tickets)) return;
  GHOST_NO_UNROLL
  for (int s = 0; s <= K; ++s) {
    const float* const of_tap = partials + tap_of(s) * size.channels + channel;
    Sum<kLanes> sum = zero_sum<kLanes>();
    join_parts(sum, shared, column, columns, active && (s < K || r == 0),
               [&](unsigned part) { return load<kLanes>(of_tap + part * part_size); });
    if (threadIdx.y != 0 || !active || (s == K && r != 0)) continue;
    GHOST_UNROLL
    for (int i = 0; i < kLanes; ++i) out.write(tap_of(s), channel + i, sum.v[i]);
  }
}

// The same partial sums with one tap for each blockIdx.z, the last for dbias.
template <class T, class ActX, class ActZ>
__global__ void depthwise_weight_plain_kernel(ConstMapOf<T> x, DeviceEpilogue<ActX> epilogue,
                                              DeviceRawGradient<T, ActZ> gradient, DepthwiseSize size, unsigned pixels,
                                              float* partials, WeightOutputs out) {
  GHOST_DYNAMIC_SHARED(Sum<1>, shared);
  const int64_t channel = first_channel<1>();
  const bool active = channel < size.channels;
  const int64_t source = active ? channel / size.multiplier : 0;
  const int tap = blockIdx.z, taps = size.kernel_h * size.kernel_w;
  ChannelEpilogue<1, ActX> of_x(epilogue, source);
  const ChannelGradient<1, T, ActZ> of_z(gradient, active ? channel : 0);
  Sum<1> sum = zero_sum<1>();
  for (unsigned pixel = first_pixel(); active && pixel < pixels; pixel += pixel_step()) {
    if (tap == taps) {
      sum.add(of_z.value(pixel));
      continue;
    }
    const unsigned line = pixel / size.out_w;
    const int n = line / size.out_h;
    const int row = static_cast<int>(line % size.out_h) * size.stride - size.pad_top + tap / size.kernel_w;
    const int column = static_cast<int>(pixel % size.out_w) * size.stride - size.pad_left + tap % size.kernel_w;
    if (row < 0 || row >= size.in_h || column < 0 || column >= size.in_w) continue;
    of_x.set_image(n);
    const int64_t at = (static_cast<int64_t>(n) * size.in_h + row) * size.in_w + column;
    sum.v[0] += of_x.value(load<1>(x.data + at * x.pitch + source)).v[0] * of_z.value(pixel).v[0];
  }
  fold_rows(sum, shared, threadIdx.y, blockDim.y, threadIdx.x, blockDim.x);
  float* const of_tap = partials + tap * size.channels + channel;
  const int64_t part_size = (taps + 1) * size.channels;
  if (threadIdx.y == 0 && active) of_tap[blockIdx.y * part_size] = sum.v[0];
  if (!last_of_column(tickets)) return;
  sum = zero_sum<1>();
  join_parts(sum, shared, threadIdx.x, blockDim.x, active,
             [&](unsigned part) { return load<1>(of_tap + part * part_size); });
  if (threadIdx.y == 0 && active) out.write(tap, channel, sum.v[0]);
}

template <class T>
void input_gradient(const Tensor& weight, const RawGradient& dz, const DepthwiseSize& size, const Tensor& addend,
                    const Tensor& dx) {
  const cudaStream_t stream = current_stream(dx.device());
  visit_device_raw_gradient<T>(dz, [&]<class Act>(const DeviceRawGradient<T, Act>& gradient) {
    const bool fast =
        visit_fast_depthwise(size, fits_vectors({dz.dy, dz.z, addend, dx}), [&](auto kernel, auto stride) {
          const int64_t strips =
              static_cast<int64_t>(size.images) * size.in_h * ceil_div(size.in_w + size.pad_left, kStrip);
          const MapLaunch how = map_launch({1, strips, size.channels}, kLanes);
          launch(depthwise_input_strip_kernel<T, kernel, stride, Act>, how.grid, how.block,
                 sizeof(float) * kernel * kernel * kLanes * how.block.x, stream, gradient, weight.data<float>(), size,
                 static_cast<unsigned>(strips), const_map<T>(addend), map_of<T>(dx));
        });
    if (fast) return;
    const MapLaunch how = map_launch(map_size(dx, false), 1);
    launch(depthwise_input_plain_kernel<T, Act>, how.grid, how.block, 0, stream, gradient, weight.data<float>(), size,
           static_cast<unsigned>(dx.pixels()), const_map<T>(addend), map_of<T>(dx));
  });
}

template <class T, class ActX, class ActZ>
void weight_gradient(const Tensor& x, const DeviceEpilogue<ActX>& epilogue, const RawGradient& dz,
                     const DeviceRawGradient<T, ActZ>& gradient, const DepthwiseSize& size, const WeightOutputs& out) {
  const cudaStream_t stream = current_stream(x.device());
  const bool fast = visit_fast_depthwise(size, fits_vectors({x, dz.dy, dz.z}), [&](auto kernel, auto stride) {
    const MapGrid how = depthwise_weight_grid(size);
    require_columns("depthwise_conv2d", as_dim3(how.grid));
    const Tensor partials({how.grid.y, out.taps + 1, size.channels}, x.sum_options());
    launch(depthwise_weight_strip_kernel<T, kernel, stride, ActX, ActZ>, as_dim3(how.grid), as_dim3(how.block),
           sizeof(Sum<kLanes>) * how.block.x * how.block.y * how.block.z, stream, const_map<T>(x), epilogue, gradient,
           size, static_cast<unsigned>(size.strips()), partials.data<float>(), out);
  });
  if (fast) return;
  MapLaunch how = map_launch({1, dz.dy.pixels(), size.channels}, 1, kStripsPerThread);
  how.grid.z = static_cast<unsigned>(out.taps + 1);
  require_columns("depthwise_conv2d", how.grid);
  const Tensor partials({how.grid.y, how.grid.z, size.channels}, x.sum_options());
  launch(depthwise_weight_plain_kernel<T, ActX, ActZ>, how.grid, how.block, sizeof(Sum<1>) * how.block.x * how.block.y,
         stream, const_map<T>(x), epilogue, gradient, size, static_cast<unsigned>(dz.dy.pixels()),
         partials.data<float>(), out);
}

}  // namespace

void depthwise_conv2d_backward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const RawGradient& dz,
                               const Conv2dProblem& problem, const Conv2dGradients& gradients) {
  require_float32("depthwise_conv2d", {x_epilogue.scale, x_epilogue.gate, weight, dz.coefficients});
  if (x.empty() || dz.dy.empty()) return clear(gradients);  // sums of nothing
  const DepthwiseSize size = depthwise_size(x, weight, problem, dz.dy);
  const bool sums = gradients.dweight != nullptr || gradients.dbias != nullptr;
  const WeightOutputs out{gradients.dweight != nullptr ? gradients.dweight->data<float>() : nullptr,
                          gradients.dbias != nullptr ? gradients.dbias->data<float>() : nullptr,
                          weight.dim(2) * weight.dim(3)};
  visit_map_type("depthwise_conv2d", {x, dz.dy, dz.z}, [&]<class T>(TypeTag<T>) {
    if (gradients.dx != nullptr) input_gradient<T>(weight, dz, size, addend_of(gradients), *gradients.dx);
    if (!sums) return;
    visit_device_epilogue(x_epilogue, [&](const auto& epilogue) {
      visit_device_raw_gradient<T>(
          dz, [&](const auto& gradient) { weight_gradient(x, epilogue, dz, gradient, size, out); });
    });
  });
}

}  // namespace cuda
}  // namespace ghost
