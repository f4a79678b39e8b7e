// The device side of detect_boxes: decoding and the threshold.
#pragma once

#include "kernels/yolo_decode.h"

namespace ghost {

inline constexpr int64_t kYoloCandidates = 30000;  // of a picture, the best, that suppression looks at

struct YoloCandidate {
  Box box;
  double score;
  int64_t place;  // in its picture: maps[0] first, row by row, anchor by anchor
  int64_t label;
};

// Per picture, in any order, all candidates over the threshold; of more than kYoloCandidates at least the best.
GHOST_DECLARE_KERNEL(std::vector<std::vector<YoloCandidate>> yolo_candidates(const std::vector<Tensor>& maps,
                                                                             const DecodeBoxesOptions& options))

}  // namespace ghost
