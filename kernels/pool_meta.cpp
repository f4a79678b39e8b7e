#include "kernels/meta_bytes.h"
#include "kernels/pool.h"

namespace ghost::meta {

void global_average_pool_forward(const Tensor& z, const Epilogue& epilogue, const Tensor& y) {
  if (!z.empty()) kernel("pool_kernel", bytes_of(z, epilogue) + bytes_of(y));
}

void global_average_pool_backward(const Tensor& dy, const Tensor& dx, bool accumulate_dx) {
  if (!dx.empty()) kernel("pool_backward_kernel", bytes_of(dy) + bytes_written(dx, accumulate_dx));
}

}  // namespace ghost::meta
