#include "kernels/add.h"

namespace ghost {

Variable add(const Feature& a, const Feature& b) {
  const Tensor &x = a.raw.value(), &other = b.raw.value();
  GHOST_CHECK(x.shape() == other.shape() && x.dtype() == other.dtype() && x.device() == other.device(),
              "add: the summands are ", x.dtype(), ' ', x.shape(), " on ", x.device(), " and ", other.dtype(), ' ',
              other.shape(), " on ", other.device(),
              "; they must agree. Check stride and out_channels of the two branches.");
  Tensor y(x.shape(), x.options());
  GHOST_DISPATCH(x.device(), add_forward(x, a.epilogue, other, b.epilogue, y));
  return record("add", {a.raw, b.raw}, y, [](const Tensor& dy, Gradients& grads) {
    grads.share(0, dy);
    grads.share(1, dy);
  });
}

}  // namespace ghost
