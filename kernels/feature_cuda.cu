#include "kernels/cuda_epilogue.h"
#include "kernels/cuda_map.h"
#include "kernels/feature.h"

namespace ghost {
namespace cuda {
namespace {

template <int V, class S, class Act>
__global__ void epilogue_kernel(ConstMapOf<S> z, DeviceEpilogue<Act> epilogue, MapOf<S> y, MapSize size) {
  const int64_t channel = first_channel<V>();
  if (channel >= size.channels) return;
  ChannelEpilogue<V, Act> of_channels(epilogue, channel);
  for (int64_t n = blockIdx.z; n < size.images; n += gridDim.z) {
    of_channels.set_image(n);
    for (int64_t p = first_pixel(); p < size.pixels; p += pixel_step()) {
      const int64_t pixel = n * size.pixels + p;
      store(y.data + pixel * y.pitch + channel, of_channels.value(load<V>(z.data + pixel * z.pitch + channel)));
    }
  }
}

template <int V, class S, class Act>
__global__ void raw_gradient_kernel(DeviceRawGradient<S, Act> gradient, MapOf<S> dz, MapSize size) {
  const int64_t channel = first_channel<V>();
  if (channel >= size.channels) return;
  const ChannelGradient<V, S, Act> of_channels(gradient, channel);
  for (int64_t pixel = first_pixel(); pixel < size.pixels; pixel += pixel_step())
    store(dz.data + pixel * dz.pitch + channel, of_channels.value(pixel));
}

}  // namespace

void epilogue_forward(const Tensor& z, const Epilogue& epilogue, const Tensor& y) {
  require_float32("epilogue", {epilogue.scale, epilogue.shift, epilogue.gate});
  const MapSize size = map_size(z, epilogue.gate.defined());
  visit_maps("epilogue", {z, y}, [&]<class S>(TypeTag<S>, auto width) {
    if (y.empty()) return;
    visit_device_epilogue(epilogue, [&]<class Act>(const DeviceEpilogue<Act>& on_device) {
      const MapLaunch how = map_launch(size, width);
      launch(epilogue_kernel<width, S, Act>, how.grid, how.block, 0, current_stream(z.device()), const_map<S>(z),
             on_device, map_of<S>(y), size);
    });
  });
}

void raw_gradient(const RawGradient& gradient, const Tensor& dz) {
  require_float32("raw_gradient", {gradient.coefficients});
  const MapSize size = map_size(dz, false);
  visit_maps("raw_gradient", {gradient.dy, gradient.z, dz}, [&]<class S>(TypeTag<S>, auto width) {
    if (dz.empty()) return;
    visit_device_raw_gradient<S>(gradient, [&]<class Act>(const DeviceRawGradient<S, Act>& on_device) {
      const MapLaunch how = map_launch(size, width);
      launch(raw_gradient_kernel<width, S, Act>, how.grid, how.block, 0, current_stream(dz.device()), on_device,
             map_of<S>(dz), size);
    });
  });
}

}  // namespace cuda
}  // namespace ghost
