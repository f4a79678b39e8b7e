// A fully connected layer is a 1x1 convolution of maps of one pixel: the convolution's panels and products serve both.
#include "kernels/conv2d.h"
#include "kernels/linear.h"

namespace ghost::cpu {
namespace {

Tensor as_map(const Tensor& rows) {
  return (rows.contiguous() ? rows : rows.clone()).reshape({rows.dim(0), 1, 1, rows.dim(1)});
}

Tensor as_kernel(const Tensor& weight) { return weight.reshape({weight.dim(0), weight.dim(1), 1, 1}); }

}  // namespace

void linear_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y) {
  const Tensor map = y.contiguous() ? as_map(y) : Tensor({y.dim(0), 1, 1, y.dim(1)}, y.options());
  conv2d_forward(as_map(x), {}, as_kernel(weight), bias, {}, map, nullptr);
  if (!y.contiguous()) y.copy_from(map.reshape(y.shape()));
}

void linear_backward(const Tensor& x, const Tensor& weight, const Tensor& dy, Tensor* dx, bool accumulate_dx,
                     Tensor* dweight, Tensor* dbias) {
  Tensor dx_map, dweight_kernel;
  if (dx) dx_map = as_map(*dx);
  if (dweight) dweight_kernel = as_kernel(*dweight);
  conv2d_backward(as_map(x), {}, as_kernel(weight), {as_map(dy), {}, {}, {}}, {},
                  {dx ? &dx_map : nullptr, accumulate_dx, dweight ? &dweight_kernel : nullptr, dbias});
  if (dx && !dx->contiguous()) dx->copy_from(dx_map.reshape(dx->shape()));
}

}  // namespace ghost::cpu
