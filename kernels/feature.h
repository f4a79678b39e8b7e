// Feature maps travel raw: what a convolution wrote is kept as it is, and what comes after it (batch norm's scale and
// shift per channel, the activation, a squeeze-excite gate per (n, c)) is an epilogue that the next op applies as it
// loads.
//
//   y[n,h,w,c] = act(scale[c] * z[n,h,w,c] + shift[c]) * gate[n,c]          z: raw
//
// The gradient that consumers hand to `raw` is dy, that of the *materialised* y. The op that made the feature turns it
// into the gradient of z (RawGradient below) inside its own backward.
#pragma once

#include "core/dispatch.h"
#include "core/tape.h"
#include "kernels/activation_functors.h"

namespace ghost {

struct Epilogue {
  Tensor scale, shift;  // [c], both or neither; in the sum_type of z
  Activation activation = Activation::kNone;
  Tensor gate;  // [n, c] or none; in the sum_type of z

  bool identity() const { return !scale.defined() && activation == Activation::kNone && !gate.defined(); }
  Epilogue channels(int64_t begin, int64_t count) const;
};

struct Feature {
  Variable raw;  // {n, h, w, c}, any pitch
  Epilogue epilogue;

  Feature() = default;
  // A plain map is a feature. NOLINTNEXTLINE(google-explicit-constructor)
  Feature(Variable raw_map) : raw(std::move(raw_map)) {}
  Feature(Variable raw_map, Epilogue raw_epilogue) : raw(std::move(raw_map)), epilogue(std::move(raw_epilogue)) {}

  const Shape& shape() const { return raw.shape(); }
  Device device() const { return raw.device(); }
};

// y as a plain map; the raw map itself where the epilogue is the identity. Backward: dy passes through.
Variable materialize(const Feature& feature);

// The gradient of a raw output z, described rather than stored; a backward kernel applies it as it loads dy and z:
//
//   dz = a[c] * g + b[c] * z + d[c],    g = dy * act'(scale[c] * z + shift[c])
//
// a, b, d are batch norm's backward (kernels/batch_norm.h). Without coefficients dz = g; with the identity epilogue
// too, dz = dy.
struct RawGradient {
  Tensor dy;            // {n, h, w, c}, any pitch
  Tensor z;             // the same shape, any pitch; needed unless dz = dy
  Epilogue epilogue;    // z's; without gate
  Tensor coefficients;  // [3, c] (rows a, b, d) or none

  bool plain() const { return epilogue.identity() && !coefficients.defined(); }
};

// The plain forms that every apply-on-load path is tested against. Outputs may have any pitch; y may not overlap z.
GHOST_DECLARE_KERNEL(void epilogue_forward(const Tensor& z, const Epilogue& epilogue, const Tensor& y))
GHOST_DECLARE_KERNEL(void raw_gradient(const RawGradient& gradient, const Tensor& dz))  // dz may be gradient.dy itself

// dz as a tensor: gradient.dy itself where it is plain, else a new tensor.
Tensor materialize(const RawGradient& gradient);

}  // namespace ghost
