// The device side of the YOLO loss: roles of the anchors, sums per map, gradients of the maps.
#pragma once

#include <algorithm>

#include "losses/yolo_targets.h"

namespace ghost {

// A role >= 0 is the index of the anchor's match within its map.
inline constexpr int32_t kYoloNegative = -1, kYoloIgnored = -2;

struct YoloLossState {
  std::vector<Tensor> maps;
  YoloTargets targets;  // the caller's
  YoloLossOptions options;
  std::vector<Tensor> roles;  // a map's: {n * h * w * 3} int32; forward writes them, backward reads them
  Tensor sums;                // {3, 4} float64, forward writes it: box, classes, objectness, anchors with objectness
  Tensor factors;  // {3, 3} float64, forward writes it: what a map's gradients of box, classes, objectness are
                   // multiplied with
  Tensor totals;   // {kYoloTotals} float64 or undefined: forward adds to it

  explicit YoloLossState(const std::vector<Tensor>& maps_of_loss, const YoloLossOptions& of_loss,
                         const Tensor& totals_of_loss = {});
};

// Blocks of the CUDA code's sum over anchors.
inline int64_t yolo_sum_blocks(int64_t anchors) { return std::clamp<int64_t>((anchors + 255) / 256, 1, 1024); }

// loss: {1} in the maps' dtype.
GHOST_DECLARE_KERNEL(void yolo_loss_forward(const YoloLossState& state, const Tensor& loss))
// dmaps: one a map, or undefined where no gradient is needed.
GHOST_DECLARE_KERNEL(void yolo_loss_backward(const YoloLossState& state, const Tensor& dloss,
                                             const std::vector<Tensor>& dmaps))

}  // namespace ghost
