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

// Shapes only: what they hold lies on the device.
void check_assigned(const YoloTargets& targets, int64_t images, const TensorOptions& floats) {
  GHOST_CHECK(targets.truth_first.shape() == Shape{images + 1} && targets.box.dtype() == floats.dtype &&
                  targets.box.device() == floats.device,
              "yolo_loss: targets of ", targets.truth_first.numel() - 1, " pictures, ", targets.box.dtype(), " on ",
              targets.box.device(), "; the maps hold ", images, ", ", floats.dtype, " on ", floats.device);
}

std::vector<Tensor> checked_maps(const std::vector<Variable>& maps, const YoloLossOptions& options) {
  std::vector<Tensor> values;
  for (const Variable& map : maps) values.push_back(map.defined() ? map.value() : Tensor());
  check_yolo_maps("yolo_loss", values, options.anchors, options.num_classes);
  check_options(options);
  return values;
}

}  // namespace

YoloLossState::YoloLossState(const std::vector<Tensor>& maps_of_loss, const YoloLossOptions& of_loss,
                             const Tensor& totals_of_loss)
    : maps(maps_of_loss), options(of_loss), totals(totals_of_loss) {
  const Device device = maps[0].device();
  for (const Tensor& map : maps) roles.push_back(Tensor({map.pixels() * kYoloAnchors}, {DType::kInt32, device}));
  sums = Tensor({kYoloMaps, 4}, {DType::kFloat64, device});
  factors = Tensor({kYoloMaps, 3}, {DType::kFloat64, device});
}

Variable yolo_loss(const std::vector<Variable>& maps, const DetectionTargets& targets, const YoloLossOptions& options,
                   const Tensor& totals) {
  const std::vector<Tensor> values = checked_maps(maps, options);
  YoloGrid grid{values[0].dim(0), {}, {}};
  for (size_t l = 0; l < kYoloMaps; ++l) {
    grid.h[l] = values[l].dim(1);
    grid.w[l] = values[l].dim(2);
  }
  return yolo_loss(maps, assign_yolo_targets(targets, grid, options, values[0].options()), options, totals);
}

Variable yolo_loss(const std::vector<Variable>& maps, const YoloTargets& targets, const YoloLossOptions& options,
                   const Tensor& totals) {
  YoloLossState state(checked_maps(maps, options), options, totals);
  const TensorOptions floats = state.maps[0].options();
  check_assigned(targets, state.maps[0].dim(0), floats);
  state.targets = targets;
  const Tensor loss({1}, floats);
  GHOST_DISPATCH(floats.device, yolo_loss_forward(state, loss));
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
