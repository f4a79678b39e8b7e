#include "kernels/cuda_map.h"
#include "kernels/upsample.h"

namespace ghost {
namespace cuda {
namespace {

// Pixels are numbered over all images: rows of one image follow those of the one before.
template <int V, class S>
__global__ void upsample2x_kernel(ConstMapOf<S> x, MapSize small, int64_t width, MapOf<S> z) {
  const int64_t channel = first_channel<V>();
  if (channel >= small.channels) return;
  for (int64_t p = first_pixel(); p < small.pixels; p += pixel_step()) {
    const Pack<V> value = load<V>(x.data + p * x.pitch + channel);
    const int64_t upper = p / width * 4 * width + p % width * 2;
    for (int64_t k = 0; k < 4; ++k)
      store_or_add(z.data + (upper + k / 2 * 2 * width + k % 2) * z.pitch + channel, value, false);
  }
}

template <int V, class S>
__global__ void upsample2x_backward_kernel(ConstMapOf<S> dz, MapSize small, int64_t width, MapOf<S> dx,
                                           bool accumulate) {
  const int64_t channel = first_channel<V>();
  if (channel >= small.channels) return;
  for (int64_t p = first_pixel(); p < small.pixels; p += pixel_step()) {
    const int64_t upper = p / width * 4 * width + p % width * 2;
    Pack<V> sum = splat<V>(0);
    for (int64_t k = 0; k < 4; ++k) {
      const Pack<V> part = load<V>(dz.data + (upper + k / 2 * 2 * width + k % 2) * dz.pitch + channel);
      GHOST_UNROLL
      for (int i = 0; i < V; ++i) sum.v[i] += part.v[i];
    }
    store_or_add(dx.data + p * dx.pitch + channel, sum, accumulate);
  }
}

}  // namespace

void upsample2x_forward(const Tensor& x, const Tensor& z) {
  const MapSize size = map_size(x, false);
  visit_maps("upsample2x", {x, z}, [&]<class S>(TypeTag<S>, auto width) {
    if (x.empty()) return;
    const MapLaunch how = map_launch(size, width);
    launch(upsample2x_kernel<width, S>, how.grid, how.block, 0, current_stream(x.device()), const_map<S>(x), size,
           x.dim(2), map_of<S>(z));
  });
}

void upsample2x_backward(const Tensor& dz, const Tensor& dx, bool accumulate_dx) {
  const MapSize size = map_size(dx, false);
  visit_maps("upsample2x", {dz, dx}, [&]<class S>(TypeTag<S>, auto width) {
    if (dx.empty()) return;
    const MapLaunch how = map_launch(size, width);
    launch(upsample2x_backward_kernel<width, S>, how.grid, how.block, 0, current_stream(dx.device()), const_map<S>(dz),
           size, dx.dim(2), map_of<S>(dx), accumulate_dx);
  });
}

}  // namespace cuda
}  // namespace ghost
