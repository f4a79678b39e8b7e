#include "kernels/cuda_epilogue.h"
#include "kernels/cuda_reduce.h"
#include "kernels/pool.h"
#include "kernels/squeeze_excite.h"

namespace ghost {
namespace cuda {
namespace {

constexpr int kSamples = 8;  // samples a thread works on at once: each weight is read for eight of them
constexpr int kWarps = 8;    // per block

// The two fully connected layers see {samples, features} matrices of a few hundred by a few hundred: too small for a
// vendor GEMM to be worth its launch and its workspace.
struct Layer {
  const float *weight, *bias;  // {outputs, inputs}, {outputs}
  int64_t inputs, outputs;
};

Layer layer_of(const Tensor& weight, const Tensor& bias) {
  return {weight.data<float>(), bias.data<float>(), weight.dim(1), weight.dim(0)};
}

// y[n,o] = bias[o] + sum_k act(x[n,k]) weight[o,k]: a warp for each o and eight n. gate (or null): gate_act(y).
template <class GateAct>
__global__ void fc_kernel(ConstMap x, PiecewiseLinear input_act, Layer layer, int64_t samples, Map y, Map gate,
                          GateAct gate_act) {
  const int lane = threadIdx.x;
  const int64_t o = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.y;
  const int64_t first = static_cast<int64_t>(blockIdx.y) * kSamples;
  if (o >= layer.outputs) return;  // a whole warp
  float sums[kSamples] = {};
  for (int64_t k = lane; k < layer.inputs; k += 32) {
    const float weight = layer.weight[o * layer.inputs + k];
    GHOST_UNROLL
    for (int i = 0; i < kSamples; ++i)
      if (first + i < samples) sums[i] += weight * input_act.value(load<1>(x.data + (first + i) * x.pitch + k)).v[0];
  }
  GHOST_UNROLL
  for (int i = 0; i < kSamples; ++i) {
    const float sum = warp_sum(sums[i]) + layer.bias[o];
    if (lane != 0 || first + i >= samples) continue;
    y.data[(first + i) * y.pitch + o] = sum;
    if (gate.data != nullptr) gate.data[(first + i) * gate.pitch + o] = gate_act.value(Pack<1>{{sum}}).v[0];
  }
}

// dx[n,k] = act'(x[n,k]) * sum_o dy[n,o] weight[o,k]; x null: act' = 1. Threads x over k, y over parts of the sum.
__global__ void fc_input_gradient_kernel(ConstMap dy, Layer layer, ConstMap x, PiecewiseLinear input_act,
                                         int64_t samples, Map dx) {
  __shared__ Sum<kSamples> shared[kWarps * 32];
  const int64_t k = static_cast<int64_t>(blockIdx.x) * 32 + threadIdx.x;
  const int64_t first = static_cast<int64_t>(blockIdx.y) * kSamples;
  Sum<kSamples> sums = zero_sum<kSamples>();
  for (int64_t o = threadIdx.y; k < layer.inputs && o < layer.outputs; o += kWarps) {
    const float weight = layer.weight[o * layer.inputs + k];
    GHOST_UNROLL
    for (int i = 0; i < kSamples; ++i)
      if (first + i < samples) sums.v[i] += weight * dy.data[(first + i) * dy.pitch + o];
  }
  fold_rows(sums, shared, threadIdx.y, kWarps, threadIdx.x, 32);
  if (threadIdx.y != 0 || k >= layer.inputs) return;
  GHOST_UNROLL
  for (int i = 0; i < kSamples; ++i) {
    if (first + i >= samples) continue;
    const float mask =
        x.data == nullptr ? 1.0f : input_act.derivative(load<1>(x.data + (first + i) * x.pitch + k)).v[0];
    dx.data[(first + i) * dx.pitch + k] = mask * sums.v[i];
  }
}

struct LayerGradient {
  ConstMap dy, x;
  PiecewiseLinear input_act;
  int64_t outputs, inputs;
  float *dweight, *dbias;  // null: not computed
};

// dweight[o,k] = sum_n dy[n,o] act(x[n,k]), dbias[o] = sum_n dy[n,o]: a thread for each weight.
__device__ inline void weight_gradient(const LayerGradient& layer, int64_t samples) {
  GHOST_GRID_STRIDE_LOOP(i, layer.outputs * layer.inputs) {
    const int64_t o = i / layer.inputs, k = i % layer.inputs;
    float sum = 0, bias_sum = 0;
    for (int64_t n = 0; n < samples; ++n) {
      const float gradient = layer.dy.data[n * layer.dy.pitch + o];
      sum += gradient * layer.input_act.value(load<1>(layer.x.data + n * layer.x.pitch + k)).v[0];
      bias_sum += gradient;
    }
    if (layer.dweight != nullptr) layer.dweight[i] = sum;
    if (layer.dbias != nullptr && k == 0) layer.dbias[o] = bias_sum;
  }
}

// blockIdx.y is the layer.
__global__ void fc_weight_gradient_kernel(LayerGradient expand, LayerGradient reduce, int64_t samples) {
  if (blockIdx.y == 0) {
    weight_gradient(expand, samples);
  } else {
    weight_gradient(reduce, samples);
  }
}

// de[n,c] = gate_act'(e[n,c]) * sum_{h,w} dy * y, y = z with its epilogue. One block for an image's channels.
template <int V, class S, class Act, class GateAct>
__global__ void gate_gradient_kernel(ConstMapOf<S> dy, ConstMapOf<S> z, DeviceEpilogue<Act> epilogue, MapSize size,
                                     ConstMap expanded, GateAct gate_act, Map de) {
  GHOST_DYNAMIC_SHARED(Sum<V>, shared);
  const int64_t channel = first_channel<V>();
  const bool active = channel < size.channels;
  const ChannelEpilogue<V, Act> of_channels(epilogue, active ? channel : 0);
  for (int64_t n = blockIdx.z; n < size.images; n += gridDim.z) {
    Sum<V> sum = zero_sum<V>();
    for (int64_t p = threadIdx.y; active && p < size.pixels; p += blockDim.y) {
      const int64_t pixel = n * size.pixels + p;
      const Pack<V> y = of_channels.value(load<V>(z.data + pixel * z.pitch + channel));
      const Pack<V> g = load<V>(dy.data + pixel * dy.pitch + channel);
      GHOST_UNROLL
      for (int i = 0; i < V; ++i) sum.v[i] += g.v[i] * y.v[i];
    }
    fold_rows(sum, shared, threadIdx.y, blockDim.y, threadIdx.x, blockDim.x);
    if (threadIdx.y != 0 || !active) continue;
    const Pack<V> slope = gate_act.derivative(load_channels<V>(expanded.data + n * expanded.pitch, channel, 0));
    GHOST_UNROLL
    for (int i = 0; i < V; ++i) de.data[n * de.pitch + channel + i] = sum.v[i] * slope.v[i];
  }
}

// dx = dy * gate + dp / (h*w).
template <int V, class S>
__global__ void squeeze_excite_input_kernel(ConstMapOf<S> dy, ConstMap gate, ConstMap dpooled, MapSize size,
                                            MapOf<S> dx, bool accumulate) {
  const int64_t channel = first_channel<V>();
  if (channel >= size.channels) return;
  for (int64_t n = blockIdx.z; n < size.images; n += gridDim.z) {
    const Pack<V> factor = load_channels<V>(gate.data + n * gate.pitch, channel, 1);
    const Pack<V> share = load_channels<V>(dpooled.data + n * dpooled.pitch, channel, 0);
    for (int64_t p = first_pixel(); p < size.pixels; p += pixel_step()) {
      const int64_t pixel = n * size.pixels + p;
      Pack<V> g = load<V>(dy.data + pixel * dy.pitch + channel);
      GHOST_UNROLL
      for (int i = 0; i < V; ++i) g.v[i] = g.v[i] * factor.v[i] + share.v[i] / static_cast<float>(size.pixels);
      store_or_add(dx.data + pixel * dx.pitch + channel, g, accumulate);
    }
  }
}

constexpr PiecewiseLinear kNoActivation{1.0f, HUGE_VALF}, kReluActivation{0.0f, HUGE_VALF};

dim3 layer_grid(int64_t features, int64_t per_block, int64_t samples) {
  return dim3(static_cast<unsigned>(ceil_div(features, per_block)), static_cast<unsigned>(ceil_div(samples, kSamples)));
}

void fc_input_gradient(const Tensor& dy, const Layer& layer, const Tensor& x, const Tensor& dx) {
  launch(fc_input_gradient_kernel, layer_grid(layer.inputs, 32, dx.dim(0)), dim3(32, kWarps), 0,
         current_stream(dx.device()), const_map(dy), layer, const_map(x), kReluActivation, dx.dim(0), map_of(dx));
}

LayerGradient layer_gradient(const Tensor& dy, const Tensor& x, const PiecewiseLinear& input_act, const Tensor& dweight,
                             const Tensor& dbias) {
  return {const_map(dy), const_map(x),          input_act,          dy.channels(),
          x.channels(),  data_or_null(dweight), data_or_null(dbias)};
}

}  // namespace

void squeeze_excite_forward(const Tensor& z, const Epilogue& epilogue, const SqueezeExciteTensors& weights,
                            Activation gate_activation, const SqueezeExciteSaved& saved, const Tensor& gate) {
  require_float32("squeeze_excite", {weights.reduce_weight, weights.reduce_bias, weights.expand_weight,
                                     weights.expand_bias, saved.pooled, saved.reduced, saved.expanded, gate});
  if (z.empty()) return;
  global_average_pool_forward(z, epilogue, saved.pooled);
  const cudaStream_t stream = current_stream(z.device());
  const int64_t samples = z.dim(0);
  const Layer reduce = layer_of(weights.reduce_weight, weights.reduce_bias);
  const Layer expand = layer_of(weights.expand_weight, weights.expand_bias);
  const dim3 block(32, kWarps);
  launch(fc_kernel<PiecewiseLinear>, layer_grid(reduce.outputs, kWarps, samples), block, 0, stream,
         const_map(saved.pooled), kNoActivation, reduce, samples, map_of(saved.reduced), Map{nullptr, 0},
         kNoActivation);
  visit_device_activation(gate_activation, [&]<class GateAct>(const GateAct& gate_act) {
    launch(fc_kernel<GateAct>, layer_grid(expand.outputs, kWarps, samples), block, 0, stream, const_map(saved.reduced),
           kReluActivation, expand, samples, map_of(saved.expanded), map_of(gate), gate_act);
  });
}

void squeeze_excite_backward(const Tensor& dy, const Tensor& z, const Epilogue& epilogue,
                             const SqueezeExciteTensors& weights, Activation gate_activation,
                             const SqueezeExciteSaved& saved, const Tensor& gate,
                             const SqueezeExciteTensors& weight_gradients, const Tensor& dx, bool accumulate_dx) {
  require_float32("squeeze_excite", {weights.reduce_weight, weights.expand_weight, gate});
  if (z.empty()) {
    for (const Tensor& gradient : {weight_gradients.reduce_weight, weight_gradients.reduce_bias,
                                   weight_gradients.expand_weight, weight_gradients.expand_bias})
      if (gradient.defined()) gradient.fill(0);
    return;
  }
  const cudaStream_t stream = current_stream(z.device());
  const MapSize size = map_size(z, true);
  const Tensor de({size.images, size.channels}, gate.options()), dpooled(de.shape(), gate.options());
  const Tensor dq({size.images, weights.reduce_weight.dim(0)}, gate.options());

  visit_maps("squeeze_excite", {dy, z}, [&]<class S>(TypeTag<S>, auto width) {
    MapLaunch how = map_launch(size, width);
    how.grid.y = 1;
    visit_device_epilogue(epilogue, [&]<class Act>(const DeviceEpilogue<Act>& on_device) {
      visit_device_activation(gate_activation, [&]<class GateAct>(const GateAct& gate_act) {
        launch(gate_gradient_kernel<width, S, Act, GateAct>, how.grid, how.block,
               sizeof(Sum<width>) * how.block.x * how.block.y, stream, const_map<S>(dy), const_map<S>(z), on_device,
               size, const_map(saved.expanded), gate_act, map_of(de));
      });
    });
  });
  fc_input_gradient(de, layer_of(weights.expand_weight, weights.expand_bias), saved.reduced, dq);
  fc_input_gradient(dq, layer_of(weights.reduce_weight, weights.reduce_bias), Tensor(), dpooled);
  const auto& [reduce_weight, reduce_bias, expand_weight, expand_bias] = weight_gradients;
  if (reduce_weight.defined() || reduce_bias.defined() || expand_weight.defined() || expand_bias.defined())
    launch(fc_weight_gradient_kernel, dim3(grid_for(de.channels() * dq.channels(), 128), 2), 128, 0, stream,
           layer_gradient(de, saved.reduced, kReluActivation, expand_weight, expand_bias),
           layer_gradient(dq, saved.pooled, kNoActivation, reduce_weight, reduce_bias), size.images);
  if (!dx.defined()) return;
  visit_maps("squeeze_excite", {dy, dx}, [&]<class S>(TypeTag<S>, auto width) {
    const MapLaunch how = map_launch(size, width);
    launch(squeeze_excite_input_kernel<width, S>, how.grid, how.block, 0, stream, const_map<S>(dy), const_map(gate),
           const_map(dpooled), size, map_of<S>(dx), accumulate_dx);
  });
}

}  // namespace cuda
}  // namespace ghost
