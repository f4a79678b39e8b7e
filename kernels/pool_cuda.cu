#include "kernels/cuda_epilogue.h"
#include "kernels/cuda_reduce.h"
#include "kernels/pool.h"

namespace ghost {
namespace cuda {
namespace {

// One block sums one image's pixels for its channels.
template <int V, class S, class Act>
__global__ void pool_kernel(ConstMapOf<S> z, DeviceEpilogue<Act> epilogue, MapSize size, Map y) {
  GHOST_DYNAMIC_SHARED(Sum<V>, shared);
  const int64_t channel = first_channel<V>();
  const bool active = channel < size.channels;
  ChannelEpilogue<V, Act> of_channels(epilogue, active ? channel : 0);
  for (int64_t n = blockIdx.z; n < size.images; n += gridDim.z) {
    of_channels.set_image(n);
    Sum<V> sum = zero_sum<V>();
    for (int64_t p = threadIdx.y; active && p < size.pixels; p += blockDim.y)
      sum.add(of_channels.value(load<V>(z.data + (n * size.pixels + p) * z.pitch + channel)));
    fold_rows(sum, shared, threadIdx.y, blockDim.y, threadIdx.x, blockDim.x);
    if (threadIdx.y != 0 || !active) continue;
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) y.data[n * y.pitch + channel + i] = sum.v[i] / static_cast<float>(size.pixels);
  }
}

template <int V, class S>
__global__ void pool_backward_kernel(ConstMap dy, MapSize size, MapOf<S> dx, bool accumulate) {
  const int64_t channel = first_channel<V>();
  if (channel >= size.channels) return;
  for (int64_t n = blockIdx.z; n < size.images; n += gridDim.z) {
    Pack<V> share = load_channels<V>(dy.data + n * dy.pitch, channel, 0);
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) share.v[i] /= static_cast<float>(size.pixels);
    for (int64_t p = first_pixel(); p < size.pixels; p += pixel_step())
      store_or_add(dx.data + (n * size.pixels + p) * dx.pitch + channel, share, accumulate);
  }
}

}  // namespace

void global_average_pool_forward(const Tensor& z, const Epilogue& epilogue, const Tensor& y) {
  require_float32("global_average_pool", {epilogue.scale, epilogue.shift, epilogue.gate, y});
  const MapSize size = map_size(z, true);
  visit_maps("global_average_pool", {z}, [&]<class S>(TypeTag<S>, auto width) {
    if (z.empty()) return;
    MapLaunch how = map_launch(size, width);
    how.grid.y = 1;
    visit_device_epilogue(epilogue, [&]<class Act>(const DeviceEpilogue<Act>& on_device) {
      launch(pool_kernel<width, S, Act>, how.grid, how.block, sizeof(Sum<width>) * how.block.x * how.block.y,
             current_stream(z.device()), const_map<S>(z), on_device, size, map_of(y));
    });
  });
}

void global_average_pool_backward(const Tensor& dy, const Tensor& dx, bool accumulate_dx) {
  require_float32("global_average_pool", {dy});
  const MapSize size = map_size(dx, true);
  visit_maps("global_average_pool", {dx}, [&]<class S>(TypeTag<S>, auto width) {
    if (dx.empty()) return;
    const MapLaunch how = map_launch(size, width);
    launch(pool_backward_kernel<width, S>, how.grid, how.block, 0, current_stream(dx.device()), const_map(dy), size,
           map_of<S>(dx), accumulate_dx);
  });
}

}  // namespace cuda
}  // namespace ghost
