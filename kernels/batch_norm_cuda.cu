#include "kernels/batch_norm.h"
#include "kernels/cuda_epilogue.h"
#include "kernels/cuda_moments.h"

namespace ghost {
namespace cuda {
namespace {

__device__ unsigned tickets[kColumns];

template <int V, class S>
__global__ void moments_kernel(ConstMapOf<S> z, MapSize size, DeviceMoments to) {
  GHOST_DYNAMIC_SHARED(MomentsOf<V>, shared);
  const int64_t channel = first_channel<V>();
  MomentSums<V> sums;
  if (channel < size.channels) {
    for (int64_t pixel = first_pixel(); pixel < size.pixels; pixel += pixel_step())
      sums.add(load<V>(z.data + pixel * z.pitch + channel));
  }
  finish_moments(sums.moments(), shared, channel, size.channels, to, tickets);
}

__global__ void scale_shift_kernel(const float* mean, const float* variance, DeviceScaleShift to, int64_t channels) {
  GHOST_GRID_STRIDE_LOOP(c, channels) to.write(c, mean[c], variance[c]);
}

// What the gradient's sums over a channel become.
struct BackwardOutputs {
  const float *mean, *variance, *gamma;
  float eps, inverse_count;
  bool training;
  float *dgamma, *dbeta, *coefficients;
  int64_t coefficients_pitch;

  // Of g, and of g * (z - mean).
  __device__ void write(int64_t c, float sum, float products) const {
    const float inverse_deviation = 1.0f / sqrtf(variance[c] + eps);
    const float scale = gamma[c] * inverse_deviation, of_gamma = products * inverse_deviation;
    dbeta[c] = sum;
    dgamma[c] = of_gamma;
    // dz = scale * (g - dbeta / N - (z - mean) * inverse_deviation * dgamma / N)
    const float b = training ? -scale * inverse_deviation * of_gamma * inverse_count : 0.0f;
    const float d = training ? -scale * sum * inverse_count - b * mean[c] : 0.0f;
    coefficients[c] = scale;
    coefficients[coefficients_pitch + c] = b;
    coefficients[2 * coefficients_pitch + c] = d;
  }
};

// partials {parts, 2, c}: sums of g, and of g * (z - mean).
template <int V, class S, class Act>
__global__ void batch_norm_backward_kernel(DeviceRawGradient<S, Act> gradient, MapSize size, float* partials,
                                           BackwardOutputs out) {
  GHOST_DYNAMIC_SHARED(Sum<V>, shared);
  const int64_t channel = first_channel<V>();
  const bool active = channel < size.channels;
  Sum<V> sum = zero_sum<V>(), products = zero_sum<V>();
  if (active) {
    const ChannelGradient<V, S, Act> of_channels(gradient, channel);
    const Pack<V> center = load_channels<V>(out.mean, channel, 0);
    for (int64_t pixel = first_pixel(); pixel < size.pixels; pixel += pixel_step()) {
      const Pack<V> z = load<V>(gradient.z.data + pixel * gradient.z.pitch + channel);
      const Pack<V> g = of_channels.masked(load<V>(gradient.dy.data + pixel * gradient.dy.pitch + channel), z);
      sum.add(g);
      GHOST_UNROLL
      for (int i = 0; i < V; ++i) products.v[i] += g.v[i] * (z.v[i] - center.v[i]);
    }
  }
  fold_rows(sum, shared, threadIdx.y, blockDim.y, threadIdx.x, blockDim.x);
  fold_rows(products, shared, threadIdx.y, blockDim.y, threadIdx.x, blockDim.x);
  float* const part = partials + channel;
  const int64_t row = size.channels;
  if (threadIdx.y == 0 && active) {
    store(part + 2 * blockIdx.y * row, sum);
    store(part + (2 * blockIdx.y + 1) * row, products);
  }
  if (!last_of_column(tickets)) return;
  sum = products = zero_sum<V>();
  join_parts(sum, shared, threadIdx.x, blockDim.x, active, [&](unsigned i) { return load<V>(part + 2 * i * row); });
  join_parts(products, shared, threadIdx.x, blockDim.x, active,
             [&](unsigned i) { return load<V>(part + (2 * i + 1) * row); });
  if (threadIdx.y != 0 || !active) return;
  GHOST_UNROLL
  for (int i = 0; i < V; ++i) out.write(channel + i, sum.v[i], products.v[i]);
}

}  // namespace

void batch_norm_moments(const Tensor& z, const ChannelMoments& moments) {
  if (z.empty()) {
    moments.mean.fill(0);
    moments.variance.fill(0);
    if (moments.then) batch_norm_scale_shift(moments, *moments.then);
    return;
  }
  visit_maps("batch_norm", {z}, [&]<class S>(TypeTag<S>, auto width) {
    const MapSize size = map_size(z, false);
    const MapLaunch how = map_launch(size, width, kRowsPerThread);
    require_columns("batch_norm", how.grid);
    const Tensor partials({how.grid.y, 3, size.channels}, z.sum_options());
    launch(moments_kernel<width, S>, how.grid, how.block, sizeof(MomentsOf<width>) * how.block.x * how.block.y,
           current_stream(z.device()), const_map<S>(z), size, device_moments(partials, moments));
  });
}

void batch_norm_scale_shift(const ChannelMoments& moments, const ScaleShift& to) {
  require_float32("batch_norm", {moments.mean, moments.variance});
  if (to.scale.empty()) return;
  const int64_t channels = to.scale.numel();
  launch(scale_shift_kernel, grid_for(channels, 128), 128, 0, current_stream(to.scale.device()),
         moments.mean.data<float>(), moments.variance.data<float>(), device_scale_shift(to), channels);
}

void batch_norm_backward(const RawGradient& dz_gradient, const ChannelMoments& moments, const Tensor& gamma, double eps,
                         bool training, const Tensor& dgamma, const Tensor& dbeta) {
  const Epilogue& epilogue = dz_gradient.epilogue;
  const Tensor &z = dz_gradient.z, &coefficients = dz_gradient.coefficients;
  require_float32("batch_norm", {epilogue.scale, coefficients, moments.mean, gamma, dgamma, dbeta});
  if (gamma.empty()) return;
  const MapSize size = map_size(z, false);
  const BackwardOutputs out{.mean = moments.mean.data<float>(),
                            .variance = moments.variance.data<float>(),
                            .gamma = gamma.data<float>(),
                            .eps = static_cast<float>(eps),
                            .inverse_count = 1.0f / static_cast<float>(std::max<int64_t>(1, size.pixels)),
                            .training = training,
                            .dgamma = dgamma.data<float>(),
                            .dbeta = dbeta.data<float>(),
                            .coefficients = coefficients.data<float>(),
                            .coefficients_pitch = coefficients.pitch()};
  visit_maps("batch_norm", {dz_gradient.dy, dz_gradient.z}, [&]<class S>(TypeTag<S>, auto width) {
    const MapLaunch how = map_launch(size, width, kRowsPerThread);
    require_columns("batch_norm", how.grid);
    const Tensor partials({how.grid.y, 2, size.channels}, gamma.options());
    visit_device_raw_gradient<S>(dz_gradient, [&]<class Act>(DeviceRawGradient<S, Act> on_device) {
      on_device.z = const_map<S>(dz_gradient.z);
      on_device.a = on_device.b = on_device.d = nullptr;  // what this call computes
      launch(batch_norm_backward_kernel<width, S, Act>, how.grid, how.block,
             sizeof(Sum<width>) * how.block.x * how.block.y, current_stream(dz_gradient.z.device()), on_device, size,
             partials.data<float>(), out);
    });
  });
}

}  // namespace cuda
}  // namespace ghost
