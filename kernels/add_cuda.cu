#include "kernels/add.h"
#include "kernels/cuda_epilogue.h"
#include "kernels/cuda_map.h"

namespace ghost {
namespace cuda {
namespace {

template <int V, class S, class ActA, class ActB>
__global__ void add_features_kernel(ConstMapOf<S> a, DeviceEpilogue<ActA> a_epilogue, ConstMapOf<S> b,
                                    DeviceEpilogue<ActB> b_epilogue, MapOf<S> y, MapSize size) {
  const int64_t channel = first_channel<V>();
  if (channel >= size.channels) return;
  ChannelEpilogue<V, ActA> of_a(a_epilogue, channel);
  ChannelEpilogue<V, ActB> of_b(b_epilogue, channel);
  for (int64_t n = blockIdx.z; n < size.images; n += gridDim.z) {
    of_a.set_image(n);
    of_b.set_image(n);
    for (int64_t p = first_pixel(); p < size.pixels; p += pixel_step()) {
      const int64_t pixel = n * size.pixels + p;
      Pack<V> sum = of_a.value(load<V>(a.data + pixel * a.pitch + channel));
      const Pack<V> addend = of_b.value(load<V>(b.data + pixel * b.pitch + channel));
      GHOST_UNROLL
      for (int i = 0; i < V; ++i) sum.v[i] += addend.v[i];
      store(y.data + pixel * y.pitch + channel, sum);
    }
  }
}

}  // namespace

void add_forward(const Tensor& a, const Epilogue& a_epilogue, const Tensor& b, const Epilogue& b_epilogue,
                 const Tensor& y) {
  require_float32("add", {a_epilogue.scale, a_epilogue.gate, b_epilogue.scale, b_epilogue.gate});
  const MapSize size = map_size(y, a_epilogue.gate.defined() || b_epilogue.gate.defined());
  visit_maps("add", {a, b, y}, [&]<class S>(TypeTag<S>, auto width) {
    if (y.empty()) return;
    visit_device_epilogue(a_epilogue, [&]<class ActA>(const DeviceEpilogue<ActA>& of_a) {
      visit_device_epilogue(b_epilogue, [&]<class ActB>(const DeviceEpilogue<ActB>& of_b) {
        const MapLaunch how = map_launch(size, width);
        launch(add_features_kernel<width, S, ActA, ActB>, how.grid, how.block, 0, current_stream(y.device()),
               const_map<S>(a), of_a, const_map<S>(b), of_b, map_of<S>(y), size);
      });
    });
  });
}

}  // namespace cuda
}  // namespace ghost
