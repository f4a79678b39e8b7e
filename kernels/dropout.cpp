#include "kernels/dropout.h"

namespace ghost {

Variable dropout(const Variable& x, const DropoutOptions& options) {
  GHOST_CHECK(options.p >= 0 && options.p < 1, "dropout: p is ", options.p, ", it must lie in [0, 1)");
  if (options.p == 0) return x;
  const Tensor& value = x.value();
  GHOST_CHECK(value.contiguous(), "dropout: a dense tensor is needed, got a channel view of ", value.shape(),
              "; clone() it first");
  Tensor y(value.shape(), value.options());
  GHOST_DISPATCH(value.device(), dropout_apply(value, options, y));
  return record("dropout", {x}, y, [options](const Tensor& dy, Gradients& grads) {
    const bool in_place = grads.may_overwrite_dy() && dy.contiguous();
    const Tensor dx = in_place ? dy : Tensor(dy.shape(), dy.options());
    GHOST_DISPATCH(dy.device(), dropout_apply(dy.contiguous() ? dy : dy.clone(), options, dx));
    grads.set(0, dx);
  });
}

}  // namespace ghost
