// The YOLO loss of a detector with anchors: target assignment, box regression by IoU, objectness and classes.
#pragma once

#include <array>
#include <vector>

#include "core/box.h"
#include "kernels/feature.h"

namespace ghost {

// Boxes of a batch of n pictures; on the CPU whatever the maps' device.
struct DetectionTargets {
  Tensor boxes;   // {m, 4} float32: cx, cy, w, h in pixels of the input
  Tensor labels;  // {m} int64
  Tensor first;   // {n + 1} int64: boxes of picture i are [first[i], first[i + 1])
};

enum class BoxLoss { kCiou, kDiou, kGiou, kSiou };

struct YoloLossOptions {
  std::vector<Anchor> anchors;  // 9, by size; maps[0] (stride 32) has [6, 9), maps[1] [3, 6), maps[2] (stride 8) [0, 3)
  int64_t num_classes = 0;
  int generation = 3;  // 3: means, balanced; 2: sums over the number of matched anchors
  BoxLoss box_loss = BoxLoss::kCiou;
  double ignore_threshold = 0.5;
  bool ignore_same_level = false;  // the ignore mask by this level's boxes only
  bool focal = false;
  double focal_alpha = 0.25, focal_gamma = 2, focal_ratio = 10;
  double label_smoothing = 0;
  std::array<double, 3> balance{0.4, 1.0, 4.0};  // of objectness, per map
  double box_weight = 0.05, object_weight = 5,
         class_weight = 1;  // object_weight * h * w / 416^2; class_weight * classes / 80
};

// What a loss adds to, {kYoloTotals} float64 on the maps' device: the loss, its three weighted terms, matched anchors
// of each map, ignored ones.
enum YoloTotal : uint8_t {
  kTotalLoss,
  kTotalBox,
  kTotalObjectness,
  kTotalClasses,
  kTotalMatched,
  kTotalIgnored = kTotalMatched + 3,
  kYoloTotals
};

struct YoloTargets;  // losses/yolo_targets.h

// maps: {n, h, w, 3 * (5 + classes)}, anchor-major, x y w h obj classes; strides 32, 16, 8. Returns {1}. `totals` may
// be undefined. Targets that were assigned lie on the maps' device, in the maps' dtype.
Variable yolo_loss(const std::vector<Variable>& maps, const YoloTargets& targets, const YoloLossOptions& options,
                   const Tensor& totals = {});
Variable yolo_loss(const std::vector<Variable>& maps, const DetectionTargets& targets, const YoloLossOptions& options,
                   const Tensor& totals = {});

}  // namespace ghost
