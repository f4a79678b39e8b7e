#include "kernels/feature.h"

namespace ghost {

Epilogue Epilogue::channels(int64_t begin, int64_t count) const {
  Epilogue part = *this;
  if (scale.defined()) {
    part.scale = scale.channels(begin, count);
    part.shift = shift.channels(begin, count);
  }
  if (gate.defined()) part.gate = gate.channels(begin, count);
  return part;
}

Variable materialize(const Feature& feature) {
  if (feature.epilogue.identity()) return feature.raw;
  const Tensor& z = feature.raw.value();
  Tensor y(z.shape(), z.options());
  GHOST_DISPATCH(z.device(), epilogue_forward(z, feature.epilogue, y));
  return record("materialize", {feature.raw}, y, [](const Tensor& dy, Gradients& grads) { grads.pass(0, dy); });
}

Tensor materialize(const RawGradient& gradient) {
  if (gradient.plain()) return gradient.dy;
  Tensor dz(gradient.dy.shape(), gradient.dy.options());
  GHOST_DISPATCH(dz.device(), raw_gradient(gradient, dz));
  return dz;
}

}  // namespace ghost
