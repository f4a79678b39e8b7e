// Each activation is one struct with its value and derivative, compiled for both devices, in float and double. NaN
// stays NaN: comparisons are written so that it falls through, else a diverged network would look healthy.
#pragma once

#include <cmath>

#include "core/error.h"
#include "core/host_device.h"

namespace ghost {

enum class Activation {
  kNone,
  kRelu,
  kRelu6,
  kLeakyRelu,  // slope 0.1 (Darknet's)
  kSigmoid,
  kHardSigmoid,       // relu6(x + 3) / 6: PyTorch, Keras 3
  kHardSigmoidKeras,  // clip(0.2 x + 0.5, 0, 1): Keras up to 2.15
  kHardSwish,         // x * relu6(x + 3) / 6
  kSwish,             // x * sigmoid(x)
  kMish,              // x * tanh(log(1 + exp(x)))
};

struct Identity {
  template <class T>
  GHOST_HD static T value(T x) {
    return x;
  }
  template <class T>
  GHOST_HD static T derivative(T) {
    return T(1);
  }
};

struct Relu {
  template <class T>
  GHOST_HD static T value(T x) {
    return x < T(0) ? T(0) : x;
  }
  template <class T>
  GHOST_HD static T derivative(T x) {
    return x > T(0) ? T(1) : T(0);
  }
};

struct Relu6 {
  template <class T>
  GHOST_HD static T value(T x) {
    return x < T(0) ? T(0) : (x > T(6) ? T(6) : x);
  }
  template <class T>
  GHOST_HD static T derivative(T x) {
    return x > T(0) && x < T(6) ? T(1) : T(0);
  }
};

struct LeakyRelu {
  template <class T>
  GHOST_HD static T value(T x) {
    return x > T(0) ? x : T(0.1) * x;
  }
  template <class T>
  GHOST_HD static T derivative(T x) {
    return x > T(0) ? T(1) : T(0.1);
  }
};

struct Sigmoid {
  template <class T>
  GHOST_HD static T value(T x) {
    return T(1) / (T(1) + std::exp(-x));
  }
  template <class T>
  GHOST_HD static T derivative(T x) {
    const T s = value(x);
    return s * (T(1) - s);
  }
};

struct HardSigmoid {
  template <class T>
  GHOST_HD static T value(T x) {
    return Relu6::value(x + T(3)) * T(1.0 / 6);
  }
  template <class T>
  GHOST_HD static T derivative(T x) {
    return Relu6::derivative(x + T(3)) * T(1.0 / 6);
  }
};

struct HardSigmoidKeras {
  template <class T>
  GHOST_HD static T value(T x) {
    const T y = T(0.2) * x + T(0.5);
    return y < T(0) ? T(0) : (y > T(1) ? T(1) : y);
  }
  template <class T>
  GHOST_HD static T derivative(T x) {
    const T y = T(0.2) * x + T(0.5);
    return y > T(0) && y < T(1) ? T(0.2) : T(0);
  }
};

struct HardSwish {
  template <class T>
  GHOST_HD static T value(T x) {
    return x * HardSigmoid::value(x);
  }
  template <class T>
  GHOST_HD static T derivative(T x) {
    return HardSigmoid::value(x) + x * HardSigmoid::derivative(x);
  }
};

struct Swish {
  template <class T>
  GHOST_HD static T value(T x) {
    return x * Sigmoid::value(x);
  }
  template <class T>
  GHOST_HD static T derivative(T x) {
    const T s = Sigmoid::value(x);
    return s * (T(1) + x * (T(1) - s));
  }
};

struct Mish {
  // tanh(log(1 + e)) = (e^2 + 2e) / (e^2 + 2e + 2) with e = exp(x); for large x it is 1 to the last bit.
  template <class T>
  GHOST_HD static T tanh_softplus(T x) {
    if (x > T(20)) return T(1);
    const T e = std::exp(x), n = e * (e + T(2));
    return n / (n + T(2));
  }
  template <class T>
  GHOST_HD static T value(T x) {
    return x * tanh_softplus(x);
  }
  template <class T>
  GHOST_HD static T derivative(T x) {
    const T t = tanh_softplus(x);
    return t + x * (T(1) - t * t) * Sigmoid::value(x);
  }
};

// Calls visit with the struct of `activation`. On the host: it picks a kernel's template, outside all loops.
template <class Visit>
decltype(auto) visit_activation(Activation activation, const Visit& visit) {
  switch (activation) {
    case Activation::kNone: return visit(Identity{});
    case Activation::kRelu: return visit(Relu{});
    case Activation::kRelu6: return visit(Relu6{});
    case Activation::kLeakyRelu: return visit(LeakyRelu{});
    case Activation::kSigmoid: return visit(Sigmoid{});
    case Activation::kHardSigmoid: return visit(HardSigmoid{});
    case Activation::kHardSigmoidKeras: return visit(HardSigmoidKeras{});
    case Activation::kHardSwish: return visit(HardSwish{});
    case Activation::kSwish: return visit(Swish{});
    case Activation::kMish: return visit(Mish{});
  }
  GHOST_ASSERT(false, "activation ", static_cast<int>(activation));
  return visit(Identity{});
}

}  // namespace ghost
