#include "kernels/cuda_reduce.h"
#include "losses/yolo_anchors.h"

namespace ghost {
namespace cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;

__global__ void yolo_roles_kernel(yolo::MatchView<float> matches, int32_t* role) {
  matches.locate();
  GHOST_GRID_STRIDE_LOOP(i, matches.count) role[matches.place[i]] = static_cast<int32_t>(i);
}

// partials {blocks, 2}: loss and number of anchors.
__global__ void yolo_objectness_kernel(yolo::MapView<float> map, yolo::TruthView<float> truth,
                                       yolo::Objectness objectness, int64_t anchors, int32_t* role, float* partials) {
  __shared__ float shared[32];
  float loss = 0, kept = 0;
  GHOST_GRID_STRIDE_LOOP(a, anchors) {
    const int32_t before = role[a];
    if (before < 0 && truth.covers(map, a)) {
      role[a] = kYoloIgnored;
      continue;
    }
    loss += objectness.loss(map.data[map.offset(a) + 4], before >= 0);
    kept += 1;
  }
  loss = block_sum(loss, shared);
  kept = block_sum(kept, shared);
  if (threadIdx.x != 0) return;
  partials[2 * blockIdx.x] = loss;
  partials[2 * blockIdx.x + 1] = kept;
}

// A warp takes a match; losses {matches, 2}: box, classes.
__global__ void yolo_matches_kernel(yolo::MapView<float> map, yolo::MatchView<float> matches, float* losses) {
  matches.locate();
  const int lane = threadIdx.x % 32;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32; i < matches.count;
       i += static_cast<int64_t>(gridDim.x) * kWarps) {
    const float* const x = map.data + map.offset(matches.place[i]) + 5;
    float of_classes = 0;
    for (int64_t c = lane; c < map.classes; c += 32)
      of_classes += yolo::cross_entropy(x[c], matches.class_target(i, c, map.classes));
    of_classes = warp_sum(of_classes);
    if (lane != 0) continue;
    losses[2 * i] = matches.box_weight(i) * matches.box_loss(map, i).value;
    losses[2 * i + 1] = of_classes;
  }
}

__device__ double column_sum(const float* rows, int64_t count, int column, double* shared) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) sum += static_cast<double>(rows[2 * i + column]);
  return block_sum(sum, shared);
}

// A map's row of YoloLossState::sums.
__global__ void yolo_map_sums_kernel(const float* losses, const int64_t* first, const float* partials, int64_t parts,
                                     double* sums) {
  __shared__ double shared[32];
  const int64_t matches = first[1] - first[0];
  for (int k = 0; k < 4; ++k) {
    const double sum = k < 2 ? column_sum(losses, matches, k, shared) : column_sum(partials, parts, k - 2, shared);
    if (threadIdx.x == 0) sums[k] = sum;
  }
}

__global__ void yolo_total_kernel(yolo::LossRule rule, const int64_t* first, const double* sums, double* factors,
                                  float* loss, double* totals) {
  *loss = static_cast<float>(rule.finish(first, sums, factors, totals));
  if (totals != nullptr) totals[kTotalLoss] += static_cast<double>(*loss);
}

// All elements of the map's gradient but those of matched anchors' boxes and classes, which are set to 0.
__global__ void yolo_background_gradient_kernel(yolo::MapView<float> map, yolo::Objectness objectness, int64_t pixels,
                                                const int32_t* role, const double* factors, const float* dloss,
                                                Map dmap) {
  const float factor = *dloss * static_cast<float>(factors[2]);
  const int size = static_cast<int>(map.classes) + 5;
  for (int64_t pixel = blockIdx.x; pixel < pixels; pixel += gridDim.x) {
    for (int c = threadIdx.x; c < kYoloAnchors * size; c += blockDim.x) {
      float slope = 0;
      if (c % size == 4) {
        const int32_t as = role[pixel * kYoloAnchors + c / size];
        if (as != kYoloIgnored) slope = factor * objectness.slope(map.data[pixel * map.pitch + c], as >= 0);
      }
      dmap.data[pixel * dmap.pitch + c] = slope;
    }
  }
}

__global__ void yolo_match_gradient_kernel(yolo::MapView<float> map, yolo::MatchView<float> matches,
                                           const double* factors, const float* dloss, Map dmap) {
  matches.locate();
  const float of_box = *dloss * static_cast<float>(factors[0]), of_classes = *dloss * static_cast<float>(factors[1]);
  const int lane = threadIdx.x % 32;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32; i < matches.count;
       i += static_cast<int64_t>(gridDim.x) * kWarps) {
    const int64_t a = matches.place[i];
    const float* const x = map.data + map.offset(a);
    float* const dx = dmap.data + a / kYoloAnchors * dmap.pitch + a % kYoloAnchors * (5 + map.classes);
    for (int64_t c = lane; c < map.classes; c += 32)
      dx[5 + c] = of_classes * yolo::cross_entropy_slope(x[5 + c], matches.class_target(i, c, map.classes));
    if (lane != 0) continue;
    float slopes[4];
    matches.box_slopes(map, i, slopes);
    GHOST_UNROLL
    for (int k = 0; k < 4; ++k) dx[k] = of_box * matches.box_weight(i) * slopes[k];
  }
}

void map_sums(const YoloLossState& state, int l, cudaStream_t stream) {
  const auto map = yolo::map_view<float>(state, l);
  const auto matches = yolo::match_view<float>(state, l);
  const Tensor& roles = state.roles[static_cast<size_t>(l)];
  const TensorOptions floats = state.maps[0].options();
  const auto blocks = static_cast<unsigned>(yolo_sum_blocks(roles.numel()));
  const int64_t room = state.targets.place.numel();
  const Tensor partials({blocks, 2}, floats), losses({room, 2}, floats);
  roles.fill(kYoloNegative);
  if (room > 0) {
    launch(yolo_roles_kernel, grid_for(room, kThreads), kThreads, 0, stream, matches, roles.data<int32_t>());
    launch(yolo_matches_kernel, grid_for(room, kWarps), kThreads, 0, stream, map, matches, losses.data<float>());
  }
  launch(yolo_objectness_kernel, blocks, kThreads, 0, stream, map, yolo::truth_view<float>(state),
         yolo::objectness_of(state.options), roles.numel(), roles.data<int32_t>(), partials.data<float>());
  launch(yolo_map_sums_kernel, 1, kThreads, 0, stream, losses.data<float>(), matches.first, partials.data<float>(),
         static_cast<int64_t>(blocks), state.sums.data<double>() + static_cast<ptrdiff_t>(l) * 4);
}

}  // namespace

void yolo_loss_forward(const YoloLossState& state, const Tensor& loss) {
  require_float32("yolo_loss", {state.maps[0], state.targets.box, state.targets.truth, loss});
  const cudaStream_t stream = current_stream(loss.device());
  for (int l = 0; l < kYoloMaps; ++l) map_sums(state, l, stream);
  launch(yolo_total_kernel, 1, 1, 0, stream, yolo::rule_of(state), state.targets.first.data<int64_t>(),
         state.sums.data<double>(), state.factors.data<double>(), loss.data<float>(),
         state.totals.defined() ? state.totals.data<double>() : nullptr);
}

void yolo_loss_backward(const YoloLossState& state, const Tensor& dloss, const std::vector<Tensor>& dmaps) {
  require_float32("yolo_loss", {state.maps[0], dloss});
  const cudaStream_t stream = current_stream(dloss.device());
  for (int l = 0; l < kYoloMaps; ++l) {
    const Tensor& dmap = dmaps[static_cast<size_t>(l)];
    if (!dmap.defined() || dmap.empty()) continue;
    const auto map = yolo::map_view<float>(state, l);
    const auto matches = yolo::match_view<float>(state, l);
    const double* const factors = state.factors.data<double>() + static_cast<ptrdiff_t>(l) * 3;
    const auto threads = static_cast<unsigned>(std::min<int64_t>(ceil_div(dmap.channels(), 32) * 32, kThreads));
    launch(yolo_background_gradient_kernel, grid_for(dmap.pixels(), 1), threads, 0, stream, map,
           yolo::objectness_of(state.options), dmap.pixels(), state.roles[static_cast<size_t>(l)].data<int32_t>(),
           factors, dloss.data<float>(), map_of(dmap));
    if (const int64_t room = state.targets.place.numel(); room > 0)
      launch(yolo_match_gradient_kernel, grid_for(room, kWarps), kThreads, 0, stream, map, matches, factors,
             dloss.data<float>(), map_of(dmap));
  }
}

}  // namespace cuda
}  // namespace ghost
