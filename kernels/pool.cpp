#include "kernels/pool.h"

namespace ghost {

Variable global_average_pool(const Feature& x) {
  const Tensor& z = x.raw.value();
  GHOST_CHECK(z.rank() == 4 && z.dim(1) * z.dim(2) >= 1,
              "global_average_pool: a map {n, h, w, c} with at least one pixel is "
              "needed, got ",
              z.shape());
  Tensor y({z.dim(0), 1, 1, z.dim(3)}, z.sum_options());
  GHOST_DISPATCH(z.device(), global_average_pool_forward(z, x.epilogue, y));
  return record("global_average_pool", {x.raw}, y, [](const Tensor& dy, Gradients& grads) {
    const Gradients::Target dx = grads.target(0);
    GHOST_DISPATCH(dy.device(), global_average_pool_backward(dy, dx.out, dx.accumulate));
  });
}

}  // namespace ghost
