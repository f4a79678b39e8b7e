// Feature maps, epilogues and raw gradients as pointers, for the loops of channel_strips-inl.h.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/feature.h"

namespace ghost::cpu {

// A feature map as the row loops see it; data is null where the tensor is absent.
template <class T>
struct MapView {
  explicit MapView(const Tensor& map) {
    if (!map.defined() || map.empty()) return;
    data = map.data<std::remove_const_t<T>>();
    pitch = map.pitch();
    width = map.dim(2);
    height = map.dim(1);
  }
  T* row(int64_t image, int64_t y) const { return data + (image * height + y) * width * pitch; }
  T* data = nullptr;
  int64_t pitch = 0, width = 0, height = 0;
};

template <class T>
T* data_or_null(const Tensor& tensor) {
  return tensor.defined() && !tensor.empty() ? tensor.data<std::remove_const_t<T>>() : nullptr;
}

// An epilogue as pointers; null for what is absent.
template <class T>
struct EpilogueView {
  explicit EpilogueView(const Epilogue& epilogue)
      : scale(data_or_null<const T>(epilogue.scale)),
        shift(data_or_null<const T>(epilogue.shift)),
        gate(data_or_null<const T>(epilogue.gate)),
        gate_pitch(epilogue.gate.pitch()),
        activation(epilogue.activation) {}
  const T *scale, *shift, *gate;
  int64_t gate_pitch;
  Activation activation;
};

template <class T>
struct GradientView {
  explicit GradientView(const RawGradient& gradient)
      : dy(gradient.dy), z(gradient.z), epilogue(gradient.epilogue), plain(gradient.plain()) {
    if (!gradient.coefficients.defined()) return;
    a = gradient.coefficients.data<T>();
    b = a + gradient.coefficients.pitch();
    d = b + gradient.coefficients.pitch();
  }
  MapView<const T> dy, z;
  EpilogueView<T> epilogue;
  const T *a = nullptr, *b = nullptr, *d = nullptr;
  bool plain;
};

}  // namespace ghost::cpu
