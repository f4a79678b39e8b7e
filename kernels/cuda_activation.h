// The activations in kernels. One template per activation would multiply every kernel by ten, and those with two of
// them by a hundred; two kinds do: the piecewise linear ones as one branch-free formula with two numbers, the rest as a
// switch that all threads take alike.
#pragma once

#include "kernels/activation_functors.h"
#include "kernels/cuda_pack.h"

namespace ghost::cuda {

// none, relu, relu6, leaky relu:  slope * x for x < 0, else min(x, cap). NaN passes.
struct PiecewiseLinear {
  float slope, cap;

  template <int V>
  __device__ Pack<V> value(Pack<V> x) const {
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) {
      const float y = x.v[i] < 0 ? below(x.v[i]) : x.v[i];
      x.v[i] = y > cap ? cap : y;
    }
    return x;
  }
  template <int V>
  __device__ Pack<V> derivative(Pack<V> x) const {
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) x.v[i] = x.v[i] > 0 ? (x.v[i] < cap ? 1.0f : 0.0f) : slope;
    return x;
  }

 private:
  // relu of minus infinity is 0, not 0 * infinity.
  __device__ float below(float x) const { return slope == 0 ? 0.0f : slope * x; }
};

struct SmoothActivation {
  Activation kind;

  template <int V>
  __device__ Pack<V> value(const Pack<V>& x) const {
    return choose([&](auto functor) {
      Pack<V> y;
      GHOST_UNROLL
      for (int i = 0; i < V; ++i) y.v[i] = decltype(functor)::value(x.v[i]);
      return y;
    });
  }
  template <int V>
  __device__ Pack<V> derivative(const Pack<V>& x) const {
    return choose([&](auto functor) {
      Pack<V> y;
      GHOST_UNROLL
      for (int i = 0; i < V; ++i) y.v[i] = decltype(functor)::derivative(x.v[i]);
      return y;
    });
  }

 private:
  template <class Visit>
  __device__ auto choose(const Visit& visit) const {
    switch (kind) {
      case Activation::kSigmoid: return visit(Sigmoid{});
      case Activation::kHardSigmoid: return visit(HardSigmoid{});
      case Activation::kHardSigmoidKeras: return visit(HardSigmoidKeras{});
      case Activation::kHardSwish: return visit(HardSwish{});
      case Activation::kSwish: return visit(Swish{});
      default: return visit(Mish{});
    }
  }
};

// Host: calls visit with the device form of `activation`.
template <class Visit>
void visit_device_activation(Activation activation, const Visit& visit) {
  constexpr float kNoCap = HUGE_VALF;
  switch (activation) {
    case Activation::kNone: return visit(PiecewiseLinear{1.0f, kNoCap});
    case Activation::kRelu: return visit(PiecewiseLinear{0.0f, kNoCap});
    case Activation::kRelu6: return visit(PiecewiseLinear{0.0f, 6.0f});
    case Activation::kLeakyRelu: return visit(PiecewiseLinear{0.1f, kNoCap});
    default: return visit(SmoothActivation{activation});
  }
}

}  // namespace ghost::cuda
