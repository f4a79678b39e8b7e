// The end of kernels that gather a batch norm's moments: what a channel's mean and variance become.
#pragma once

#include <algorithm>

#include "kernels/conv2d.h"
#include "kernels/cuda_reduce.h"

namespace ghost::cuda {

// ScaleShift on the device.
struct DeviceScaleShift {
  const float *gamma = nullptr, *beta = nullptr;
  float eps = 0, momentum = 0, unbiased = 0;
  float *running_mean = nullptr, *running_var = nullptr;  // null: left alone
  float *scale = nullptr, *shift = nullptr;

  __device__ void write(int64_t c, float mean, float variance) const {
    const float factor = gamma[c] / sqrtf(variance + eps);
    scale[c] = factor;
    shift[c] = beta[c] - mean * factor;
    if (running_mean != nullptr) running_mean[c] += momentum * (mean - running_mean[c]);
    if (running_var != nullptr) running_var[c] += momentum * (variance * unbiased - running_var[c]);
  }
};

inline DeviceScaleShift device_scale_shift(const ScaleShift& to) {
  require_float32("batch_norm", {to.gamma, to.beta, to.running_mean, to.running_var, to.scale, to.shift});
  const double unbiased = static_cast<double>(to.count) / static_cast<double>(std::max<int64_t>(1, to.count - 1));
  return {to.gamma.data<float>(),          to.beta.data<float>(),        static_cast<float>(to.eps),
          static_cast<float>(to.momentum), static_cast<float>(unbiased), data_or_null(to.running_mean),
          data_or_null(to.running_var),    to.scale.data<float>(),       to.shift.data<float>()};
}

struct DeviceMoments {
  float* partials = nullptr;  // {parts, 3, c}; null: no moments are wanted
  float *mean = nullptr, *variance = nullptr;
  DeviceScaleShift then;  // then.scale null: the moments alone
};

inline DeviceMoments device_moments(const Tensor& partials, const ChannelMoments& moments) {
  require_float32("batch_norm", {moments.mean, moments.variance});
  return {partials.data<float>(), moments.mean.data<float>(), moments.variance.data<float>(),
          moments.then ? device_scale_shift(*moments.then) : DeviceScaleShift{}};
}

// Every thread of the block calls it with what it has gathered of the V channels from `channel`; `shared` holds one
// item a thread. The last block of the column joins the parts.
template <int V>
__device__ inline void finish_moments(MomentsOf<V> gathered, MomentsOf<V>* shared, int64_t channel, int64_t channels,
                                      const DeviceMoments& to, unsigned* tickets) {
  const bool active = channel < channels;
  fold_rows(gathered, shared, threadIdx.y, blockDim.y, threadIdx.x, blockDim.x);
  if (threadIdx.y == 0 && active) store_moments(to.partials, blockIdx.y, channels, channel, gathered);
  if (!last_of_column(tickets)) return;
  MomentsOf<V> total{0, {}, {}};
  join_parts(total, shared, threadIdx.x, blockDim.x, active,
             [&](unsigned part) { return load_moments<V>(to.partials, part, channels, channel); });
  if (threadIdx.y != 0 || !active) return;
  GHOST_UNROLL
  for (int i = 0; i < V; ++i) {
    const float mean = total.mean[i], variance = total.m2[i] / total.count;
    to.mean[channel + i] = mean;
    to.variance[channel + i] = variance;
    if (to.then.scale != nullptr) to.then.write(channel + i, mean, variance);
  }
}

}  // namespace ghost::cuda
