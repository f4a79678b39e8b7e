#include "kernels/cuda_epilogue.h"
#include "kernels/cuda_map.h"
#include "kernels/feature.h"

namespace ghost {
namespace cuda {
namespace {

template <int V, class Act>
__global__ void epilogue_kernel(ConstMap z, DeviceEpilogue<Act> epilogue, Map y, MapSize size) {
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

template <int V, class Act>
__global__ void raw_gradient_kernel(DeviceRawGradient<Act> gradient, Map dz, MapSize size) {
  const int64_t channel = first_channel<V>();
  if (channel >= size.channels) return;
  const ChannelGradient<V, Act> of_channels(gradient, channel);
  for (int64_t pixel = first_pixel(); pixel < size.pixels; pixel += pixel_step())
    store(dz.data + pixel * dz.pitch + channel, of_channels.value(pixel));
}

}  // namespace

void epilogue_forward(const Tensor& z, const Epilogue& epilogue, const Tensor& y) {
  require_float32("epilogue", {z, y, epilogue.scale, epilogue.shift, epilogue.gate});
  if (y.empty()) return;
  const MapSize size = map_size(z, epilogue.gate.defined());
  visit_width(fits_vectors({z, y}), [&](auto width) {
    visit_device_epilogue(epilogue, [&]<class Act>(const DeviceEpilogue<Act>& on_device) {
      const MapLaunch how = map_launch(size, width);
      launch(epilogue_kernel<width, Act>, how.grid, how.block, 0, current_stream(z.device()), const_map(z), on_device,
             map_of(y), size);
    });
  });
}

void raw_gradient(const RawGradient& gradient, const Tensor& dz) {
  require_float32("raw_gradient", {gradient.dy, gradient.z, gradient.coefficients, dz});
  if (dz.empty()) return;
  const MapSize size = map_size(dz, false);
  visit_width(fits_vectors({gradient.dy, gradient.z, dz}), [&](auto width) {
    visit_device_raw_gradient(gradient, [&]<class Act>(const DeviceRawGradient<Act>& on_device) {
      const MapLaunch how = map_launch(size, width);
      launch(raw_gradient_kernel<width, Act>, how.grid, how.block, 0, current_stream(dz.device()), on_device,
             map_of(dz), size);
    });
  });
}

}  // namespace cuda
}  // namespace ghost
