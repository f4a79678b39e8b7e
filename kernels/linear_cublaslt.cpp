#include "kernels/cublaslt.h"
#include "kernels/cuda_channels.h"
#include "kernels/cuda_require.h"
#include "kernels/linear.h"

namespace ghost::cuda {

void linear_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y) {
  require_float32("linear", {x, weight, bias, y});
  matmul(x, weight, bias, y, {.transpose_b = true});
}

void linear_backward(const Tensor& x, const Tensor& weight, const Tensor& dy, Tensor* dx, bool accumulate_dx,
                     Tensor* dweight, Tensor* dbias) {
  require_float32("linear", {x, weight, dy});
  if (dx) matmul(dy, weight, {}, *dx, {.accumulate = accumulate_dx});
  if (dweight && dy.empty()) dweight->fill(0);
  if (dweight && !dy.empty()) matmul(dy, x, {}, *dweight, {.transpose_a = true});
  if (dbias) channel_sums(dy, *dbias);
}

}  // namespace ghost::cuda
