// Epilogue and RawGradient (kernels/feature.h) on the device. A thread reads its channels' numbers once and applies
// them to every pixel it loads.
#pragma once

#include "kernels/cuda_activation.h"
#include "kernels/feature.h"

namespace ghost::cuda {

template <class Act>
struct DeviceEpilogue {
  using Activation = Act;
  const float *scale, *shift;  // null: 1 and 0
  const float* gate;           // null: 1
  int64_t gate_pitch;
  Act activation;
};

template <class Visit>
void visit_device_epilogue(const Epilogue& epilogue, const Visit& visit) {
  visit_device_activation(epilogue.activation, [&](auto activation) {
    visit(DeviceEpilogue<decltype(activation)>{data_or_null(epilogue.scale), data_or_null(epilogue.shift),
                                               data_or_null(epilogue.gate), epilogue.gate.pitch(), activation});
  });
}

// An epilogue's numbers for V channels.
template <int V, class Act>
class ChannelEpilogue {
 public:
  __device__ ChannelEpilogue(const DeviceEpilogue<Act>& epilogue, int64_t channel)
      : scale_(load_channels<V>(epilogue.scale, channel, 1)),
        shift_(load_channels<V>(epilogue.shift, channel, 0)),
        gate_(splat<V>(1)),
        gates_(epilogue.gate == nullptr ? nullptr : epilogue.gate + channel),
        gate_pitch_(epilogue.gate_pitch),
        activation_(epilogue.activation) {}

  __device__ void set_image(int64_t n) {
    if (gates_ != nullptr) gate_ = load_channels<V>(gates_ + n * gate_pitch_, 0, 1);
  }

  __device__ Pack<V> value(Pack<V> z) const {
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) z.v[i] = scale_.v[i] * z.v[i] + shift_.v[i];
    Pack<V> y = activation_.value(z);
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) y.v[i] *= gate_.v[i];
    return y;
  }

 private:
  Pack<V> scale_, shift_, gate_;
  const float* gates_;
  int64_t gate_pitch_;
  Act activation_;
};

template <class S, class Act>
struct DeviceRawGradient {
  using Activation = Act;
  ConstMapOf<S> dy, z;  // z.data null: dz = dy
  const float *scale, *shift;
  const float *a, *b, *d;  // null: 1, 0, 0
  Act activation;
};

template <class S, class Visit>
void visit_device_raw_gradient(const RawGradient& gradient, const Visit& visit) {
  const float* const rows = data_or_null(gradient.coefficients);
  const int64_t pitch = gradient.coefficients.pitch();
  const auto z = gradient.plain() ? ConstMapOf<S>{nullptr, 0} : const_map<S>(gradient.z);
  visit_device_activation(gradient.epilogue.activation, [&](auto activation) {
    visit(DeviceRawGradient<S, decltype(activation)>{
        const_map<S>(gradient.dy), z, data_or_null(gradient.epilogue.scale), data_or_null(gradient.epilogue.shift),
        rows, rows ? rows + pitch : nullptr, rows ? rows + 2 * pitch : nullptr, activation});
  });
}

// A raw gradient's numbers for V channels.
template <int V, class S, class Act>
class ChannelGradient {
 public:
  __device__ ChannelGradient(const DeviceRawGradient<S, Act>& gradient, int64_t channel)
      : scale_(load_channels<V>(gradient.scale, channel, 1)),
        shift_(load_channels<V>(gradient.shift, channel, 0)),
        a_(load_channels<V>(gradient.a, channel, 1)),
        b_(load_channels<V>(gradient.b, channel, 0)),
        d_(load_channels<V>(gradient.d, channel, 0)),
        dy_(gradient.dy.data + channel),
        z_(gradient.z.data == nullptr ? nullptr : gradient.z.data + channel),
        dy_pitch_(gradient.dy.pitch),
        z_pitch_(gradient.z.pitch),
        activation_(gradient.activation) {}

  // dz of one pixel.
  __device__ Pack<V> value(int64_t pixel) const {
    const Pack<V> dy = load<V>(dy_ + pixel * dy_pitch_);
    if (z_ == nullptr) return dy;
    const Pack<V> z = load<V>(z_ + pixel * z_pitch_);
    const Pack<V> g = masked(dy, z);
    Pack<V> dz;
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) dz.v[i] = a_.v[i] * g.v[i] + (b_.v[i] * z.v[i] + d_.v[i]);
    return dz;
  }

  // g = dy * act'(scale * z + shift).
  __device__ Pack<V> masked(const Pack<V>& dy, Pack<V> z) const {
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) z.v[i] = scale_.v[i] * z.v[i] + shift_.v[i];
    Pack<V> g = activation_.derivative(z);
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) g.v[i] *= dy.v[i];
    return g;
  }

 private:
  Pack<V> scale_, shift_, a_, b_, d_;
  const S *dy_, *z_;
  int64_t dy_pitch_, z_pitch_;
  Act activation_;
};

}  // namespace ghost::cuda
