// What the detection evaluators share: argument checks, grouping, overlap.
#pragma once

#include <algorithm>
#include <numeric>

#include "train/detection_metrics.h"

namespace ghost {

inline bool is_ignored(const TruthBox& truth) { return truth.crowd || truth.difficult; }

// Of a crowd: the share of the detection that lies in it. An overlap that is no number counts as none.
inline double overlap(const Box& detection, const TruthBox& truth) {
  const double width = std::min(detection.right, truth.box.right) - std::max(detection.left, truth.box.left);
  const double height = std::min(detection.bottom, truth.box.bottom) - std::max(detection.top, truth.box.top);
  if (!(width > 0 && height > 0)) return 0;
  const double shared = width * height, own = detection.width() * detection.height();
  const double joint = truth.crowd ? own : own + truth.box.width() * truth.box.height() - shared;
  return joint > 0 && shared / joint > 0 ? shared / joint : 0;
}

// Labels within [0, classes), pictures within [0, images) (images < 0: any), scores that can be ordered.
void check_boxes(const std::vector<TruthBox>& truth, const std::vector<DetectedBox>& detections, int64_t classes,
                 int64_t images = -1);

// Indices of each class's boxes, in their order.
template <class Item>
std::vector<std::vector<size_t>> indices_by_class(const std::vector<Item>& items, int64_t classes) {
  std::vector<std::vector<size_t>> result(static_cast<size_t>(classes));
  for (size_t i = 0; i < items.size(); ++i) result[static_cast<size_t>(items[i].label)].push_back(i);
  return result;
}

// By picture; within one in their order.
template <class Item>
void sort_by_image(const std::vector<Item>& items, std::vector<size_t>& indices) {
  std::stable_sort(indices.begin(), indices.end(), [&](size_t a, size_t b) { return items[a].image < items[b].image; });
}

// By falling score; equal ones in their order.
inline void sort_by_score(const std::vector<DetectedBox>& detections, std::vector<size_t>& indices) {
  std::stable_sort(indices.begin(), indices.end(),
                   [&](size_t a, size_t b) { return detections[a].score > detections[b].score; });
}

inline std::vector<size_t> all_indices(size_t count) {
  std::vector<size_t> indices(count);
  std::iota(indices.begin(), indices.end(), size_t{0});
  return indices;
}

}  // namespace ghost
