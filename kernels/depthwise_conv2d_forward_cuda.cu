#include "kernels/batch_norm.h"
#include "kernels/cuda_depthwise.h"
#include "kernels/cuda_moments.h"

namespace ghost {
namespace cuda {
namespace {

__device__ unsigned tickets[kColumns];

template <class T, int K, int S, class Act>
__global__ void __launch_bounds__(kMapThreads)
    depthwise_strip_kernel(ConstMapOf<T> x, DeviceEpilogue<Act> epilogue, const float* weight, const float* bias,
                           DepthwiseSize size, unsigned strips, MapOf<T> z, DeviceMoments moments) {
  GHOST_DYNAMIC_SHARED(float, weights);
  load_weights<K * K>(weight, size.channels, weights);
  const int64_t channel = first_channel<kLanes>();
  const bool active = channel < size.channels;
  const int width = blockDim.x * kLanes;
  ChannelEpilogue<kLanes, Act> of_channels(epilogue, active ? channel : 0);
  const Pack<kLanes> start = load_channels<kLanes>(bias, active ? channel : 0, 0);
  const unsigned per_row = (size.out_w + kStrip - 1) / kStrip;
  MomentSums<kLanes> gathered;

  for (unsigned index = first_pixel(); active && index < strips; index += pixel_step()) {
    const Strip strip = strip_at(index, per_row, size.out_h);
    const int left = strip.column * S - size.pad_left, top = strip.row * S - size.pad_top;
    of_channels.set_image(strip.n);
    Pack<kLanes> sums[kStrip];
    GHOST_UNROLL
    for (int t = 0; t < kStrip; ++t) sums[t] = start;
    GHOST_NO_UNROLL
    for (int r = 0; r < K; ++r) {
      const int row = top + r;
      if (row < 0 || row >= size.in_h) continue;
      Pack<kLanes> taps[K];
      GHOST_UNROLL
      for (int s = 0; s < K; ++s) taps[s] = load<kLanes>(weights + (r * K + s) * width + threadIdx.x * kLanes);
      const T* const line = x.data + (static_cast<int64_t>(strip.n) * size.in_h + row) * size.in_w * x.pitch + channel;
      GHOST_UNROLL
      for (int j = 0; j < (kStrip - 1) * S + K; ++j) {
        const int column = left + j;
        if (column < 0 || column >= size.in_w) continue;  // y is 0 there
        const Pack<kLanes> y = of_channels.value(load<kLanes>(line + column * x.pitch));
        GHOST_UNROLL
        for (int t = 0; t < kStrip; ++t)
          if (j - t * S >= 0 && j - t * S < K) multiply_add(sums[t], y, taps[j - t * S]);
      }
    }
    T* const to = z.data +
                  ((static_cast<int64_t>(strip.n) * size.out_h + strip.row) * size.out_w + strip.column) * z.pitch +
                  channel;
    GHOST_UNROLL
    for (int t = 0; t < kStrip; ++t) {
      if (strip.column + t >= size.out_w) continue;
      store(to + t * z.pitch, sums[t]);
      if (moments.partials != nullptr) gathered.add(as_stored<T>(sums[t]));
    }
  }

  if (moments.partials == nullptr) return;
  __syncthreads();  // the weights' memory is used again
  finish_moments(gathered.moments(), reinterpret_cast<MomentsOf<kLanes>*>(weights), channel, size.channels, moments,
                 tickets);
}

template <class T, class Act>
__global__ void depthwise_plain_kernel(ConstMapOf<T> x, DeviceEpilogue<Act> epilogue, const float* weight,
                                       const float* bias, DepthwiseSize size, unsigned pixels, MapOf<T> z) {
  const int64_t channel = first_channel<1>();
  if (channel >= size.channels) return;
  const int64_t source = channel / size.multiplier;
  ChannelEpilogue<1, Act> of_channel(epilogue, source);
  const float start = bias == nullptr ? 0.0f : bias[channel];
  for (unsigned pixel = first_pixel(); pixel < pixels; pixel += pixel_step()) {
    const unsigned line = pixel / size.out_w;
    const int n = line / size.out_h, i = line % size.out_h, j = pixel % size.out_w;
    of_channel.set_image(n);
    float sum = start;
    for (int r = 0; r < size.kernel_h; ++r) {
      const int row = i * size.stride - size.pad_top + r;
      if (row < 0 || row >= size.in_h) continue;
      for (int s = 0; s < size.kernel_w; ++s) {
        const int column = j * size.stride - size.pad_left + s;
        if (column < 0 || column >= size.in_w) continue;
        const int64_t at = (static_cast<int64_t>(n) * size.in_h + row) * size.in_w + column;
        sum += of_channel.value(load<1>(x.data + at * x.pitch + source)).v[0] *
               weight[(channel * size.kernel_h + r) * size.kernel_w + s];
      }
    }
    z.data[pixel * z.pitch + channel] = narrow<T>(sum);
  }
}

template <class T, int K, int S>
void run_strips(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const Tensor& bias,
                const DepthwiseSize& size, const Tensor& z, const ChannelMoments* moments) {
  const int64_t strips = size.strips();
  const MapLaunch how = map_launch({1, strips, size.channels}, kLanes);
  require_columns("depthwise_conv2d", how.grid);
  Tensor partials;
  DeviceMoments on_device;
  if (moments != nullptr) {
    partials = Tensor({how.grid.y, 3, size.channels}, z.sum_options());
    on_device = device_moments(partials, *moments);
  }
  const size_t shared =
      std::max(sizeof(float) * K * K * kLanes * how.block.x, sizeof(MomentsOf<kLanes>) * how.block.x * how.block.y);
  visit_device_epilogue(x_epilogue, [&]<class Act>(const DeviceEpilogue<Act>& epilogue) {
    launch(depthwise_strip_kernel<T, K, S, Act>, how.grid, how.block, shared, current_stream(z.device()),
           const_map<T>(x), epilogue, weight.data<float>(), data_or_null(bias), size, static_cast<unsigned>(strips),
           map_of<T>(z), on_device);
  });
}

}  // namespace

void depthwise_conv2d_forward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const Tensor& bias,
                              const Conv2dProblem& problem, const Tensor& z, const ChannelMoments* moments) {
  require_float32("depthwise_conv2d", {x_epilogue.scale, x_epilogue.shift, x_epilogue.gate, weight, bias});
  if (z.empty()) {
    if (moments != nullptr) batch_norm_moments(z, *moments);
    return;
  }
  const DepthwiseSize size = depthwise_size(x, weight, problem, z);
  visit_map_type("depthwise_conv2d", {x, z}, [&]<class T>(TypeTag<T>) {
    const bool fast = visit_fast_depthwise(size, fits_vectors({x, z}), [&](auto kernel, auto stride) {
      run_strips<T, kernel, stride>(x, x_epilogue, weight, bias, size, z, moments);
    });
    if (fast) return;
    const MapLaunch how = map_launch(map_size(z, false), 1);
    visit_device_epilogue(x_epilogue, [&]<class Act>(const DeviceEpilogue<Act>& epilogue) {
      launch(depthwise_plain_kernel<T, Act>, how.grid, how.block, 0, current_stream(z.device()), const_map<T>(x),
             epilogue, weight.data<float>(), data_or_null(bias), size, static_cast<unsigned>(z.pixels()), map_of<T>(z));
    });
    if (moments != nullptr) batch_norm_moments(z, *moments);
  });
}

}  // namespace cuda
}  // namespace ghost
