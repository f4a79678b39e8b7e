#include "kernels/pyramid_pool.h"

namespace ghost {

Variable pyramid_pool(const Feature& x, const std::vector<int>& sizes) {
  const Tensor& z = x.raw.value();
  GHOST_CHECK(z.rank() == 4, "pyramid_pool: a map {n, h, w, c} is needed, got ", z.shape());
  for (const int size : sizes)
    GHOST_CHECK(size >= 1 && size <= 255 && size % 2 == 1, "pyramid_pool: window size ", size,
                " must be odd and at most 255");
  const int64_t c = z.channels(), windows = static_cast<int64_t>(sizes.size());
  Tensor y({z.dim(0), z.dim(1), z.dim(2), (windows + 1) * c}, z.options());
  GHOST_DISPATCH(z.device(), epilogue_forward(z, x.epilogue, y.channels(windows * c, c)));
  Tensor places;
  if (recording({x.raw})) places = Tensor({z.dim(0), z.dim(1), z.dim(2), windows * c}, {DType::kInt32, z.device()});
  GHOST_DISPATCH(z.device(), pyramid_pool_forward(y, sizes, places));
  return record("pyramid_pool", {x.raw}, y, [places](const Tensor& dy, Gradients& grads) {
    const Gradients::Target dx = grads.target(0);
    GHOST_DISPATCH(dy.device(), pyramid_pool_backward(dy, places, dx.out, dx.accumulate));
  });
}

}  // namespace ghost
