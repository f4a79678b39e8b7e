// The device sides of detect_boxes: candidates over the threshold, then suppression among those of a class.
#pragma once

#include <cstring>

#include "core/host_device.h"
#include "kernels/yolo_decode.h"

namespace ghost {

inline constexpr int64_t kYoloCandidates = 30000;  // of a picture, the best, that suppression looks at

GHOST_DECLARE_KERNEL(std::vector<std::vector<ScoredBox>> yolo_detect(const std::vector<Tensor>& maps,
                                                                     const DecodeBoxesOptions& options))

struct YoloCandidate {
  Box box;
  double score;
  int64_t place;  // in its picture: maps[0] first, row by row, anchor by anchor
  int64_t label;
};

namespace cpu {

using YoloCandidates = std::vector<std::vector<YoloCandidate>>;  // of each picture, in any order

YoloCandidates yolo_candidates(const std::vector<Tensor>& maps, const DecodeBoxesOptions& options);
std::vector<std::vector<ScoredBox>> suppress_boxes(YoloCandidates candidates, const DecodeBoxesOptions& options);

}  // namespace cpu

namespace cuda {

// A score in [0, 1] and place * classes + label, below 2^32, as one number: the less, the better the candidate.
GHOST_HD inline int64_t yolo_candidate_key(float score, int64_t slot) {
  int32_t bits = 0;
  memcpy(&bits, &score, sizeof bits);  // grow with the score
  return static_cast<int64_t>(INT32_MAX - bits) << 32 | slot;
}

// Rows [first_row[i], first_row[i + 1]) are picture i's, in any order.
struct YoloCandidates {
  Tensor keys;          // {rows} int64, no two of a picture equal
  Tensor boxes;         // {rows, 4} float32: centre and size
  Tensor first_row;     // {pictures + 1} int32
  int64_t largest = 0;  // rows of a picture
};

// Of more than kYoloCandidates in a picture at least the best.
YoloCandidates yolo_candidates(const std::vector<Tensor>& maps, const DecodeBoxesOptions& options);
// The same boxes in the same order as the CPU's, to the bit, where the candidates are the same.
std::vector<std::vector<ScoredBox>> suppress_boxes(const YoloCandidates& candidates, const DecodeBoxesOptions& options);

}  // namespace cuda
}  // namespace ghost
