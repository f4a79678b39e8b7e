#include "kernels/upsample.h"

namespace ghost {

Feature upsample2x(const Feature& x, const FeatureSlot* slot) {
  const Tensor& z = x.raw.value();
  GHOST_CHECK(z.rank() == 4, "upsample2x: a map {n, h, w, c} is needed, got ", z.shape());
  GHOST_ASSERT(!x.epilogue.gate.defined(), "upsample2x of a map with a gate");
  const Shape shape{z.dim(0), 2 * z.dim(1), 2 * z.dim(2), z.dim(3)};
  GHOST_CHECK(!slot || (slot->z.shape() == shape && slot->z.dtype() == z.dtype()), "upsample2x: the output is ",
              z.dtype(), ' ', shape, ", but the slot it is to fill is ", slot ? slot->z.dtype() : z.dtype(), ' ',
              slot ? slot->z.shape() : shape);
  const Tensor out = slot ? slot->z : Tensor(shape, z.options());
  GHOST_DISPATCH(z.device(), upsample2x_forward(z, out));
  Epilogue epilogue = x.epilogue;
  if (slot && epilogue.scale.defined()) {
    if (slot->scale.raw_data() != epilogue.scale.raw_data()) slot->scale.copy_from(epilogue.scale);
    if (slot->shift.raw_data() != epilogue.shift.raw_data()) slot->shift.copy_from(epilogue.shift);
    epilogue.scale = slot->scale;
    epilogue.shift = slot->shift;
  }
  Variable raw = record("upsample2x", {x.raw}, out, [](const Tensor& dy, Gradients& grads) {
    const Gradients::Target dx = grads.target(0);
    GHOST_DISPATCH(dy.device(), upsample2x_backward(dy, dx.out, dx.accumulate));
  });
  return {std::move(raw), std::move(epilogue)};
}

}  // namespace ghost
