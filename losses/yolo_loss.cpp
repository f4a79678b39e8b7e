#include "losses/yolo_loss.h"

#include <algorithm>

#include "losses/yolo_loss_kernels.h"

namespace ghost {
namespace {

void check_options(const YoloLossOptions& options) {
  GHOST_CHECK(options.generation == 2 || options.generation == 3, "yolo_loss: generation is ", options.generation,
              ", choose 2 or 3");
  GHOST_CHECK(options.label_smoothing >= 0 && options.label_smoothing < 1, "yolo_loss: label_smoothing is ",
              options.label_smoothing, ", it must lie in [0, 1)");
  GHOST_CHECK(options.ignore_threshold > 0, "yolo_loss: ignore_threshold is ", options.ignore_threshold,
              ", it must be above 0 (1 or more: nothing is ignored)");
  GHOST_CHECK(!options.focal || options.focal_gamma >= 0, "yolo_loss: focal_gamma is ", options.focal_gamma,
              ", it must be at least 0");
}

void check_targets(const DetectionTargets& targets, int64_t images) {
  const Tensor &boxes = targets.boxes, &labels = targets.labels, &first = targets.first;
  GHOST_CHECK(first.dtype() == DType::kInt64 && first.shape() == Shape{images + 1} && first.device().is_cpu(),
              "yolo_loss: targets.first is ", first.dtype(), ' ', first.shape(), " on ", first.device(), "; ", images,
              " pictures need int64 [", images + 1, "] on the CPU");
  GHOST_CHECK(labels.dtype() == DType::kInt64 && labels.rank() == 1 && labels.device().is_cpu(),
              "yolo_loss: targets.labels is ", labels.dtype(), ' ', labels.shape(),
              ", it must be int64 [m] on the CPU");
  const int64_t m = labels.dim(0);
  GHOST_CHECK(boxes.dtype() == DType::kFloat32 && boxes.shape() == (Shape{m, 4}) && boxes.device().is_cpu() &&
                  boxes.contiguous(),
              "yolo_loss: targets.boxes is ", boxes.dtype(), ' ', boxes.shape(), "; ", m,
              " labels need dense float32 [", m, ", 4] on the CPU");
  const int64_t* const at = first.data<int64_t>();
  GHOST_CHECK(at[0] == 0 && at[images] == m, "yolo_loss: targets.first goes from ", at[0], " to ", at[images],
              ", it must go from 0 to the number of boxes, ", m);
  for (int64_t i = 0; i < images; ++i)
    GHOST_CHECK(at[i] <= at[i + 1], "yolo_loss: targets.first falls from ", at[i], " to ", at[i + 1], " at picture ",
                i);
}

void report(const YoloLossState& state, YoloLossTerms& terms) {
  terms = {};
  const std::vector<double> sums = state.sums.to_vector();
  for (int l = 0; l < kYoloMaps; ++l) {
    const auto at = static_cast<size_t>(l);
    const double *const sum = sums.data() + at * 4, kept = sum[3];
    const YoloFactors factors = yolo_factors(state, l);
    terms.box += factors.box * sum[0];
    terms.classes += factors.classes * sum[1];
    terms.objectness += factors.objectness * sum[2] / (factors.mean ? std::max(kept, 1.0) : 1.0);
    terms.matched[at] = state.targets.matched(l);
    terms.ignored += state.roles[at].numel() - static_cast<int64_t>(kept);
  }
}

}  // namespace

YoloFactors yolo_factors(const YoloLossState& state, int map) {
  const YoloLossOptions& options = state.options;
  const double focal = options.focal ? options.focal_ratio : 1;
  const auto count = [&](int l) { return static_cast<double>(std::max<int64_t>(state.targets.matched(l), 1)); };
  if (options.generation == 2) {
    const double whole = 1 / (count(0) + count(1) + count(2));
    return {whole, whole, focal * whole, false};
  }
  const auto at = static_cast<size_t>(map);
  const Tensor& x = state.maps[at];
  const auto stride = static_cast<double>(yolo_stride(map));
  const double area = static_cast<double>(x.dim(1) * x.dim(2)) * stride * stride;
  return {options.box_weight / count(map), options.class_weight / 80 / count(map),  // classes / 80, mean over classes
          options.balance[at] * options.object_weight * focal * area / (416.0 * 416.0), true};
}

Variable yolo_loss(const std::vector<Variable>& maps, const DetectionTargets& targets, const YoloLossOptions& options,
                   YoloLossTerms* terms) {
  YoloLossState state;
  for (const Variable& map : maps) state.maps.push_back(map.defined() ? map.value() : Tensor());
  check_yolo_maps("yolo_loss", state.maps, options.anchors, options.num_classes);
  check_options(options);
  YoloGrid grid{state.maps[0].dim(0), {}, {}};
  check_targets(targets, grid.images);
  const TensorOptions floats = state.maps[0].options();
  for (size_t l = 0; l < kYoloMaps; ++l) {
    grid.h[l] = state.maps[l].dim(1);
    grid.w[l] = state.maps[l].dim(2);
    state.roles.push_back(Tensor({state.maps[l].pixels() * kYoloAnchors}, {DType::kInt32, floats.device}));
  }
  state.targets = assign_yolo_targets(targets, grid, options, floats);
  state.options = options;
  state.sums = Tensor({kYoloMaps, 4}, {DType::kFloat64, floats.device});
  const Tensor loss({1}, floats);
  GHOST_DISPATCH(floats.device, yolo_loss_forward(state, loss));
  if (terms != nullptr) report(state, *terms);
  return record("yolo_loss", maps, loss, [state](const Tensor& dloss, Gradients& grads) {
    std::vector<Tensor> dmaps(kYoloMaps);
    for (size_t l = 0; l < kYoloMaps; ++l)
      if (grads.needed(static_cast<int>(l))) dmaps[l] = Tensor(state.maps[l].shape(), state.maps[l].options());
    GHOST_DISPATCH(dloss.device(), yolo_loss_backward(state, dloss, dmaps));
    for (size_t l = 0; l < kYoloMaps; ++l)
      if (dmaps[l].defined()) grads.set(static_cast<int>(l), dmaps[l]);
  });
}

}  // namespace ghost
