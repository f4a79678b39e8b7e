#include "kernels/channels_meta.h"
#include "kernels/linear.h"
#include "kernels/meta_bytes.h"

namespace ghost::meta {
namespace {

// What cuBLASLt takes as workspace is known on a device only.
void matmul(const char* name, const Tensor& a, const Tensor& b, const Tensor& bias, int64_t written, int64_t flops) {
  count_kernel({.name = name, .bytes = bytes_of({a, b, bias}) + written, .flops = flops, .run_by = RunBy::kCublasLt});
}

}  // namespace

void linear_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y) {
  if (!y.empty()) matmul("linear forward", x, weight, bias, bytes_of(y), 2 * x.dim(0) * weight.numel());
}

void linear_backward(const Tensor& x, const Tensor& weight, const Tensor& dy, Tensor* dx, bool accumulate_dx,
                     Tensor* dweight, Tensor* dbias) {
  const int64_t flops = 2 * x.dim(0) * weight.numel();
  if (dx && !dx->empty()) matmul("linear backward_input", dy, weight, {}, bytes_written(*dx, accumulate_dx), flops);
  if (dweight && dy.empty()) dweight->fill(0);
  if (dweight && !dy.empty()) matmul("linear backward_weight", dy, x, {}, bytes_of(*dweight), flops);
  if (dbias) channel_sums(dy, *dbias);
}

}  // namespace ghost::meta
