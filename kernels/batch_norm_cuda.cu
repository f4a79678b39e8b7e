#include "kernels/batch_norm.h"
#include "kernels/cuda_epilogue.h"
#include "kernels/cuda_reduce.h"

namespace ghost {
namespace cuda {
namespace {

constexpr int kFoldColumns = 32, kFoldRows = 8;  // second passes: threads over channels, and over partial results

template <int V>
__global__ void moments_kernel(ConstMap z, MapSize size, float* partials) {
  GHOST_DYNAMIC_SHARED(MomentsOf<V>, shared);
  const int64_t channel = first_channel<V>();
  MomentSums<V> sums;
  if (channel < size.channels) {
    for (int64_t pixel = first_pixel(); pixel < size.pixels; pixel += pixel_step())
      sums.add(load<V>(z.data + pixel * z.pitch + channel));
  }
  MomentsOf<V> moments = sums.moments();
  fold_rows(moments, shared, threadIdx.y, blockDim.y, threadIdx.x, blockDim.x);
  if (threadIdx.y == 0 && channel < size.channels) store_moments(partials, blockIdx.y, size.channels, channel, moments);
}

__global__ void combine_moments_kernel(const float* partials, int64_t parts, int64_t channels, float* mean,
                                       float* variance) {
  __shared__ MomentsOf<1> shared[kFoldRows * kFoldColumns];
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * kFoldColumns + threadIdx.x;
  MomentsOf<1> total{0, {0}, {0}};
  if (channel < channels) {
    for (int64_t part = threadIdx.y; part < parts; part += kFoldRows) {
      const float* const from = partials + part * 3 * channels + channel;
      total.add({from[0], {from[channels]}, {from[2 * channels]}});
    }
  }
  fold_rows(total, shared, threadIdx.y, kFoldRows, threadIdx.x, kFoldColumns);
  if (threadIdx.y == 0 && channel < channels) {
    mean[channel] = total.mean[0];
    variance[channel] = total.m2[0] / total.count;
  }
}

struct RunningUpdate {
  float *mean, *var;  // null: left alone
  float momentum, unbiased;
};

__global__ void scale_shift_kernel(const float* mean, const float* variance, const float* gamma, const float* beta,
                                   float eps, RunningUpdate running, int64_t channels, float* scale, float* shift) {
  GHOST_GRID_STRIDE_LOOP(c, channels) {
    const float factor = gamma[c] / sqrtf(variance[c] + eps);
    scale[c] = factor;
    shift[c] = beta[c] - mean[c] * factor;
    if (running.mean != nullptr) running.mean[c] += running.momentum * (mean[c] - running.mean[c]);
    if (running.var != nullptr) running.var[c] += running.momentum * (variance[c] * running.unbiased - running.var[c]);
  }
}

// Partial sums {parts, 2, c}: g, and g * (z - mean).
template <int V, class Act>
__global__ void batch_norm_sums_kernel(DeviceRawGradient<Act> gradient, const float* mean, MapSize size,
                                       float* partials) {
  GHOST_DYNAMIC_SHARED(Sum<V>, shared);
  const int64_t channel = first_channel<V>();
  Sum<V> sum = zero_sum<V>(), products = zero_sum<V>();
  if (channel < size.channels) {
    const ChannelGradient<V, Act> of_channels(gradient, channel);
    const Pack<V> center = load_channels<V>(mean, channel, 0);
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
  if (threadIdx.y != 0 || channel >= size.channels) return;
  float* const to = partials + blockIdx.y * 2 * size.channels + channel;
  GHOST_UNROLL
  for (int i = 0; i < V; ++i) {
    to[i] = sum.v[i];
    to[size.channels + i] = products.v[i];
  }
}

struct BackwardOutputs {
  float *dgamma, *dbeta, *coefficients;
  int64_t coefficients_pitch;
};

__global__ void batch_norm_coefficients_kernel(const float* partials, int64_t parts, int64_t channels,
                                               const float* mean, const float* variance, const float* gamma, float eps,
                                               float inverse_count, bool training, BackwardOutputs out) {
  __shared__ Sum<2> shared[kFoldRows * kFoldColumns];
  const int64_t c = static_cast<int64_t>(blockIdx.x) * kFoldColumns + threadIdx.x;
  Sum<2> sums = zero_sum<2>();
  if (c < channels) {
    for (int64_t part = threadIdx.y; part < parts; part += kFoldRows) {
      sums.v[0] += partials[part * 2 * channels + c];
      sums.v[1] += partials[(part * 2 + 1) * channels + c];
    }
  }
  fold_rows(sums, shared, threadIdx.y, kFoldRows, threadIdx.x, kFoldColumns);
  if (threadIdx.y != 0 || c >= channels) return;
  const float inverse_deviation = 1.0f / sqrtf(variance[c] + eps);
  const float dbeta = sums.v[0], dgamma = sums.v[1] * inverse_deviation, scale = gamma[c] * inverse_deviation;
  out.dbeta[c] = dbeta;
  out.dgamma[c] = dgamma;
  // dz = scale * (g - dbeta / N - (z - mean) * inverse_deviation * dgamma / N)
  const float b = training ? -scale * inverse_deviation * dgamma * inverse_count : 0.0f;
  const float d = training ? -scale * dbeta * inverse_count - b * mean[c] : 0.0f;
  out.coefficients[c] = scale;
  out.coefficients[out.coefficients_pitch + c] = b;
  out.coefficients[2 * out.coefficients_pitch + c] = d;
}

dim3 fold_grid(int64_t channels) { return dim3(static_cast<unsigned>(ceil_div(channels, kFoldColumns))); }

}  // namespace

void combine_moments(const Tensor& partials, const ChannelMoments& moments) {
  launch(combine_moments_kernel, fold_grid(partials.channels()), dim3(kFoldColumns, kFoldRows), 0,
         current_stream(partials.device()), partials.data<float>(), partials.dim(0), partials.channels(),
         moments.mean.data<float>(), moments.variance.data<float>());
}

void batch_norm_moments(const Tensor& z, const ChannelMoments& moments) {
  require_float32("batch_norm", {z, moments.mean, moments.variance});
  if (z.empty()) {
    moments.mean.fill(0);
    moments.variance.fill(0);
    return;
  }
  visit_width(fits_vectors({z}), [&](auto width) {
    const MapSize size = map_size(z, false);
    const MapLaunch how = map_launch(size, width, kRowsPerThread);
    const Tensor partials({how.grid.y, 3, size.channels}, z.options());
    launch(moments_kernel<width>, how.grid, how.block, sizeof(MomentsOf<width>) * how.block.x * how.block.y,
           current_stream(z.device()), const_map(z), size, partials.data<float>());
    combine_moments(partials, moments);
  });
}

void batch_norm_scale_shift(const ChannelMoments& moments, const Tensor& gamma, const Tensor& beta, double eps,
                            double momentum, int64_t count, const Tensor& running_mean, const Tensor& running_var,
                            const Tensor& scale, const Tensor& shift) {
  require_float32("batch_norm", {moments.mean, moments.variance, gamma, beta, running_mean, running_var, scale, shift});
  if (scale.empty()) return;
  const int64_t channels = scale.numel();
  const double unbiased = static_cast<double>(count) / static_cast<double>(std::max<int64_t>(1, count - 1));
  const RunningUpdate running{data_or_null(running_mean), data_or_null(running_var), static_cast<float>(momentum),
                              static_cast<float>(unbiased)};
  launch(scale_shift_kernel, grid_for(channels, 128), 128, 0, current_stream(scale.device()),
         moments.mean.data<float>(), moments.variance.data<float>(), gamma.data<float>(), beta.data<float>(),
         static_cast<float>(eps), running, channels, scale.data<float>(), shift.data<float>());
}

void batch_norm_backward(const RawGradient& dz_gradient, const ChannelMoments& moments, const Tensor& gamma, double eps,
                         bool training, const Tensor& dgamma, const Tensor& dbeta) {
  const auto& [dy, z, epilogue, coefficients] = dz_gradient;
  require_float32("batch_norm", {dy, z, epilogue.scale, coefficients, moments.mean, gamma, dgamma, dbeta});
  if (gamma.empty()) return;
  const MapSize size = map_size(z, false);
  const cudaStream_t stream = current_stream(z.device());
  visit_width(fits_vectors({dy, z}), [&](auto width) {
    const MapLaunch how = map_launch(size, width, kRowsPerThread);
    const Tensor partials({how.grid.y, 2, size.channels}, z.options());
    visit_device_raw_gradient(dz_gradient, [&]<class Act>(DeviceRawGradient<Act> on_device) {
      on_device.z = const_map(dz_gradient.z);
      on_device.a = on_device.b = on_device.d = nullptr;  // what this call computes
      launch(batch_norm_sums_kernel<width, Act>, how.grid, how.block, sizeof(Sum<width>) * how.block.x * how.block.y,
             stream, on_device, moments.mean.data<float>(), size, partials.data<float>());
    });
    const BackwardOutputs out{dgamma.data<float>(), dbeta.data<float>(), dz_gradient.coefficients.data<float>(),
                              dz_gradient.coefficients.pitch()};
    launch(batch_norm_coefficients_kernel, fold_grid(size.channels), dim3(kFoldColumns, kFoldRows), 0, stream,
           partials.data<float>(), partials.dim(0), size.channels, moments.mean.data<float>(),
           moments.variance.data<float>(), gamma.data<float>(), static_cast<float>(eps),
           1.0f / static_cast<float>(std::max<int64_t>(1, size.pixels)), training, out);
  });
}

}  // namespace cuda
}  // namespace ghost
