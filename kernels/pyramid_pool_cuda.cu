#include "core/tensor_ops.h"
#include "kernels/cuda_map.h"
#include "kernels/pyramid_pool.h"

namespace ghost {
namespace cuda {
namespace {

struct PlaneSize {
  int height, width;
};

// One thread per pixel and channel looks through its window.
template <class S>
__global__ void pyramid_pool_kernel(ConstMapOf<S> x, MapSize size, PlaneSize plane, int radius, MapOf<S> y,
                                    int32_t* places, int64_t places_pitch) {
  const int64_t channel = first_channel<1>();
  if (channel >= size.channels) return;
  for (int64_t n = blockIdx.z; n < size.images; n += gridDim.z) {
    for (int64_t p = first_pixel(); p < size.pixels; p += pixel_step()) {
      const int row = static_cast<int>(p) / plane.width, column = static_cast<int>(p) % plane.width;
      const int top = row > radius ? row - radius : 0, left = column > radius ? column - radius : 0;
      const int bottom = row + radius < plane.height ? row + radius : plane.height - 1;
      const int right = column + radius < plane.width ? column + radius : plane.width - 1;
      int best_place = top * plane.width + left;
      float best = widen(x.data[(n * size.pixels + best_place) * x.pitch + channel]);
      for (int i = top; i <= bottom; ++i)
        for (int j = left; j <= right; ++j) {
          const int place = i * plane.width + j;
          const float value = widen(x.data[(n * size.pixels + place) * x.pitch + channel]);
          if (value > best || (value != value && best == best)) {
            best = value;
            best_place = place;
          }
        }
      const int64_t pixel = n * size.pixels + p;
      y.data[pixel * y.pitch + channel] = narrow<S>(best);
      if (places != nullptr) places[pixel * places_pitch + channel] = best_place;
    }
  }
}

// One thread per image and channel: a place gets what belongs to it in a fixed order.
template <class S>
__global__ void pyramid_pool_backward_kernel(ConstMapOf<S> dy, MapSize size, int windows, const int32_t* places,
                                             int64_t places_pitch, Map dx, bool accumulate) {
  const int64_t channel = first_channel<1>();
  if (channel >= size.channels) return;
  for (int64_t n = blockIdx.z; n < size.images; n += gridDim.z) {
    const S* const from = dy.data + n * size.pixels * dy.pitch + channel;
    const int32_t* const place = places + n * size.pixels * places_pitch + channel;
    float* const to = dx.data + n * size.pixels * dx.pitch + channel;
    for (int64_t p = 0; p < size.pixels; ++p) {
      const float own = widen(from[p * dy.pitch + windows * size.channels]);
      to[p * dx.pitch] = accumulate ? to[p * dx.pitch] + own : own;
    }
    for (int64_t p = 0; p < size.pixels; ++p)
      for (int64_t k = 0; k < windows; ++k)
        to[place[p * places_pitch + k * size.channels] * dx.pitch] += widen(from[p * dy.pitch + k * size.channels]);
  }
}

}  // namespace

void pyramid_pool_forward(const Tensor& y, const std::vector<int>& sizes, const Tensor& places) {
  if (y.empty()) return;
  const int64_t windows = static_cast<int64_t>(sizes.size()), c = y.channels() / (windows + 1);
  const Tensor x = y.channels(windows * c, c);
  const MapSize size = map_size(x, true);
  const MapLaunch how = map_launch(size, 1);
  const PlaneSize plane{static_cast<int>(y.dim(1)), static_cast<int>(y.dim(2))};
  visit_map_type("pyramid_pool", {y}, [&]<class S>(TypeTag<S>) {
    for (int64_t k = 0; k < windows; ++k)
      launch(pyramid_pool_kernel<S>, how.grid, how.block, 0, current_stream(y.device()), const_map<S>(x), size, plane,
             sizes[static_cast<size_t>(k)] / 2, map_of<S>(y.channels(k * c, c)),
             places.defined() ? places.data<int32_t>() + k * c : nullptr, places.defined() ? places.pitch() : 0);
  });
}

void pyramid_pool_backward(const Tensor& dy, const Tensor& places, const Tensor& dx, bool accumulate_dx) {
  if (dx.empty()) return;
  // Many gradients may meet in one place: their sum is float32 until all are in.
  const Tensor sums = is_half(dx.dtype()) ? Tensor(dx.shape(), dx.sum_options()) : dx;
  if (accumulate_dx && is_half(dx.dtype())) tensor_convert(dx, sums);
  const MapSize size = map_size(dx, true);
  MapLaunch how = map_launch(size, 1);
  how.grid.y = 1;
  how.block.y = 1;
  visit_map_type("pyramid_pool", {dy, dx}, [&]<class S>(TypeTag<S>) {
    launch(pyramid_pool_backward_kernel<S>, how.grid, how.block, 0, current_stream(dx.device()), const_map<S>(dy), size,
           static_cast<int>(places.channels() / dx.channels()), places.data<int32_t>(), places.pitch(), map_of(sums),
           accumulate_dx);
  });
  if (is_half(dx.dtype())) tensor_convert(sums, dx);
}

}  // namespace cuda
}  // namespace ghost
