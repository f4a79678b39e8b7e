#include "core/launch.h"
#include "kernels/cuda_channels.h"
#include "kernels/cuda_reduce.h"

namespace ghost {
namespace cuda {
namespace {

constexpr int kThreads = 256;

__device__ unsigned tickets[kColumns];

template <int V, class S>
__global__ void add_channel_bias_kernel(const float* bias, MapOf<S> z, MapSize size) {
  const int64_t channel = first_channel<V>();
  if (channel >= size.channels) return;
  const Pack<V> of_channels = load_channels<V>(bias, channel, 0);
  for (int64_t pixel = first_pixel(); pixel < size.pixels; pixel += pixel_step())
    store_or_add(z.data + pixel * z.pitch + channel, of_channels, true);
}

// partials {parts, c}.
template <int V, class S>
__global__ void channel_sums_kernel(ConstMapOf<S> dz, MapSize size, float* partials, float* sums) {
  GHOST_DYNAMIC_SHARED(Sum<V>, shared);
  const int64_t channel = first_channel<V>();
  const bool active = channel < size.channels;
  Sum<V> sum = zero_sum<V>();
  for (int64_t pixel = first_pixel(); active && pixel < size.pixels; pixel += pixel_step())
    sum.add(load<V>(dz.data + pixel * dz.pitch + channel));
  fold_rows(sum, shared, threadIdx.y, blockDim.y, threadIdx.x, blockDim.x);
  if (threadIdx.y == 0 && active) store(partials + blockIdx.y * size.channels + channel, sum);
  if (!last_of_column(tickets)) return;
  sum = zero_sum<V>();
  join_parts(sum, shared, threadIdx.x, blockDim.x, active,
             [&](unsigned part) { return load<V>(partials + part * size.channels + channel); });
  if (threadIdx.y != 0 || !active) return;
  GHOST_UNROLL
  for (int i = 0; i < V; ++i) sums[channel + i] = sum.v[i];
}

// target[m, b, a] = source[m, a, b]. Weights are small; reads are scattered, writes are not.
template <class From, class To>
__global__ void transpose_inner_kernel(const From* source, To* target, int64_t rows, int64_t columns, int64_t count) {
  GHOST_GRID_STRIDE_LOOP(i, count) {
    const int64_t row = i % rows, column = i / rows % columns, matrix = i / (rows * columns);
    target[i] = narrow<To>(widen(source[(matrix * rows + row) * columns + column]));
  }
}

template <class From, class To>
void transpose_as(const Tensor& source, const Tensor& target, int64_t rows, int64_t columns) {
  launch(transpose_inner_kernel<From, To>, grid_for(source.numel(), kThreads), kThreads, 0,
         current_stream(source.device()), source.data<From>(), target.data<To>(), rows, columns, source.numel());
}

// Each of the shape[0] matrices {rows, columns} to {columns, rows}, in the same type or from a half one to float32.
void transpose_inner(const Tensor& source, const Tensor& target, int64_t rows, int64_t columns) {
  visit_map_type("weight layout", {source}, [&]<class From>(TypeTag<From>) {
    if (source.empty()) return;
    if (target.dtype() == source.dtype()) return transpose_as<From, From>(source, target, rows, columns);
    require_float32("weight layout", {target});
    transpose_as<From, float>(source, target, rows, columns);
  });
}

}  // namespace

void add_channel_bias(const Tensor& bias, const Tensor& z) {
  require_float32("bias", {bias});
  if (z.empty()) return;
  const MapSize size = map_size(z, false);
  visit_maps("bias", {z}, [&]<class S>(TypeTag<S>, auto width) {
    const MapLaunch how = map_launch(size, width);
    launch(add_channel_bias_kernel<width, S>, how.grid, how.block, 0, current_stream(z.device()), bias.data<float>(),
           map_of<S>(z), size);
  });
}

void channel_sums(const Tensor& dz, const Tensor& sums) {
  require_float32("bias gradient", {sums});
  if (dz.empty()) return sums.fill(0);
  const MapSize size = map_size(dz, false);
  visit_maps("bias gradient", {dz}, [&]<class S>(TypeTag<S>, auto width) {
    const MapLaunch how = map_launch(size, width, kRowsPerThread);
    require_columns("bias gradient", how.grid);
    const Tensor partials({how.grid.y, size.channels}, sums.options());
    launch(channel_sums_kernel<width, S>, how.grid, how.block, sizeof(Sum<width>) * how.block.x * how.block.y,
           current_stream(dz.device()), const_map<S>(dz), size, partials.data<float>(), sums.data<float>());
  });
}

void weight_to_channels_last(const Tensor& source, const Tensor& target) {
  transpose_inner(source, target, source.dim(1), source.dim(2) * source.dim(3));
}

void weight_from_channels_last(const Tensor& source, const Tensor& target) {
  transpose_inner(source, target, source.dim(2) * source.dim(3), source.dim(1));
}

}  // namespace cuda
}  // namespace ghost
