#include "kernels/activation.h"

namespace ghost {

Variable activate(const Variable& x, Activation activation) {
  if (activation == Activation::kNone) return x;
  const Tensor& value = x.value();
  const Epilogue epilogue{.scale = {}, .shift = {}, .activation = activation, .gate = {}};
  Tensor y(value.shape(), value.options());
  GHOST_DISPATCH(value.device(), epilogue_forward(value, epilogue, y));
  return record("activate", {x}, y, [value, epilogue](const Tensor& dy, Gradients& grads) {
    const Tensor dx = grads.may_overwrite_dy() ? dy : Tensor(dy.shape(), dy.options());
    GHOST_DISPATCH(dy.device(), raw_gradient({dy, value, epilogue, {}}, dx));
    grads.set(0, dx);
  });
}

}  // namespace ghost
