#include "core/tensor_ops.h"
#include "kernels/meta_bytes.h"
#include "kernels/pyramid_pool.h"

namespace ghost::meta {

void pyramid_pool_forward(const Tensor& y, const std::vector<int>& sizes, const Tensor& places) {
  if (y.empty()) return;
  const int64_t windows = static_cast<int64_t>(sizes.size()), c = y.channels() / (windows + 1);
  const Tensor x = y.channels(windows * c, c);
  for (int64_t k = 0; k < windows; ++k)
    kernel("pyramid_pool_kernel", {x, y.channels(k * c, c), places.defined() ? places.channels(k * c, c) : Tensor()});
}

void pyramid_pool_backward(const Tensor& dy, const Tensor& places, const Tensor& dx, bool accumulate_dx) {
  if (dx.empty()) return;
  const bool half = is_half(dx.dtype());
  const Tensor sums = half ? Tensor(dx.shape(), dx.sum_options()) : dx;
  if (accumulate_dx && half) tensor_convert(dx, sums);
  kernel("pyramid_pool_backward_kernel", bytes_of({dy, places}) + bytes_written(sums, accumulate_dx));
  if (half) tensor_convert(sums, dx);
}

}  // namespace ghost::meta
