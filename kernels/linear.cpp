#include "kernels/linear.h"

namespace ghost {
namespace {

// x as {n, k}: a map of one pixel is one row per image.
Tensor rows_of(const Tensor& x) { return x.rank() == 4 ? x.reshape({x.dim(0), x.dim(3)}) : x; }

void check_linear(const Tensor& x, const Tensor& weight, const Variable& bias) {
  const Shape& shape = x.shape();
  GHOST_CHECK(x.rank() == 2 || (x.rank() == 4 && shape[1] == 1 && shape[2] == 1), "linear: input ", shape,
              " must be {n, k} or {n, 1, 1, k}. Pool the feature map before this layer.");
  GHOST_CHECK(weight.rank() == 2, "linear: weight ", weight.shape(), " must be {out_features, in_features}");
  GHOST_CHECK(shape[-1] == weight.dim(1), "linear: input ", shape, " has ", shape[-1], " features, but weight ",
              weight.shape(), " needs ", weight.dim(1), ". Check out_channels of the layer before this one.");
  GHOST_CHECK(weight.dtype() == x.dtype() && weight.device() == x.device(), "linear: input is ", x.dtype(), " on ",
              x.device(), ", but weight is ", weight.dtype(), " on ", weight.device(),
              ". Move the module and its input to one device and dtype.");
  if (!bias.defined()) return;
  GHOST_CHECK(bias.shape() == Shape({weight.dim(0)}), "linear: bias has shape ", bias.shape(), ", but weight ",
              weight.shape(), " needs [", weight.dim(0), "]");
  GHOST_CHECK(bias.dtype() == x.dtype() && bias.device() == x.device(), "linear: input is ", x.dtype(), " on ",
              x.device(), ", but bias is ", bias.dtype(), " on ", bias.device());
}

}  // namespace

Variable linear(const Feature& x, const Variable& weight, const Variable& bias) {
  check_linear(x.raw.value(), weight.value(), bias);
  const Variable input = materialize(x);
  const Tensor saved = rows_of(input.value().contiguous() ? input.value() : input.value().clone());
  const Tensor w = weight.value();
  const Tensor y({saved.dim(0), w.dim(0)}, saved.options());
  GHOST_DISPATCH(y.device(), linear_forward(saved, w, bias.defined() ? bias.value() : Tensor(), y));
  return record(
      "linear", {input, weight, bias}, y, [saved, w, map = input.shape()](const Tensor& dy, Gradients& grads) {
        Tensor dx, dweight, dbias;
        if (grads.needed(0)) dx = Tensor(saved.shape(), saved.options());
        if (grads.needed(1)) dweight = Tensor(w.shape(), w.options());
        if (grads.needed(2)) dbias = Tensor({w.dim(0)}, w.options());
        GHOST_DISPATCH(dy.device(),
                       linear_backward(saved, w, dy, dx.defined() ? &dx : nullptr, false,
                                       dweight.defined() ? &dweight : nullptr, dbias.defined() ? &dbias : nullptr));
        if (dx.defined()) grads.set(0, dx.reshape(map));
        if (dweight.defined()) grads.set(1, dweight);
        if (dbias.defined()) grads.set(2, dbias);
      });
}

}  // namespace ghost
