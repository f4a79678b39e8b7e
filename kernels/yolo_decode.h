// From a detector's maps to boxes: decode, threshold, per-class non-maximum suppression.
#pragma once

#include <array>
#include <vector>

#include "core/box.h"
#include "core/dispatch.h"
#include "core/tensor.h"

namespace ghost {

struct DecodeBoxesOptions {
  std::vector<Anchor> anchors;  // 9: width, height in input pixels; maps[0] has [6, 9), maps[2] [0, 3)
  int64_t num_classes = 0;
  double score_threshold = 0.001;  // objectness * class
  double iou_threshold = 0.5;      // of suppression
  int64_t max_detections = 100;    // per picture, the best
  bool multi_label = true;         // every class over the threshold, else only the best of an anchor
};

struct ScoredBox {
  Box box;  // pixels of the input
  int64_t label = 0;
  double score = 0;
};

// Per picture, by falling score; equal scores by place. maps as yolo_loss takes them.
std::vector<std::vector<ScoredBox>> detect_boxes(const std::vector<Tensor>& maps, const DecodeBoxesOptions& options);

}  // namespace ghost
