// Anchor sizes for a data set: k-means over the boxes' sizes with the distance 1 - IoU of rectangles with one corner in
// common (Redmon and Farhadi 2017), each centre the median of its boxes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "data/detection_set.h"

namespace ghost {

struct AnchorOptions {
  int64_t count = 9;
  int input_width = 416, input_height = 416;
  bool keep_ratio = true;      // letterboxed, else stretched
  std::vector<Anchor> before;  // to compare with; may be empty
  int64_t attempts = 4;        // starts; the best one is taken
  uint64_t seed = 0;
};

struct AnchorResult {
  std::vector<Anchor> anchors;   // by area, the smallest first
  std::vector<int64_t> boxes;    // how many boxes each is the best of
  double before = 0, after = 0;  // mean over the boxes of the best anchor's IoU
};

// Sizes of the boxes that are trained on (neither difficult nor crowd) as they stand in the network's input.
std::vector<Anchor> box_sizes_in_input(const DetectionSet& set, const AnchorOptions& options);

// Mean over `sizes` of the largest IoU with an anchor; 0 where one of them is empty.
double mean_best_iou(const std::vector<Anchor>& sizes, const std::vector<Anchor>& anchors);

// The same for the same seed and any number of threads. Throws kData where there are fewer different sizes than
// anchors.
AnchorResult cluster_anchors(const std::vector<Anchor>& sizes, const AnchorOptions& options);
AnchorResult cluster_anchors(const DetectionSet& set, const AnchorOptions& options);

}  // namespace ghost
