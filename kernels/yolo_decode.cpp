#include "kernels/yolo_decode.h"

#include <algorithm>
#include <unordered_map>

#include "core/parallel.h"
#include "kernels/yolo_candidates.h"
#include "kernels/yolo_maps.h"

namespace ghost {
namespace {

bool better(const YoloCandidate& a, const YoloCandidate& b) {
  if (a.score != b.score) return a.score > b.score;
  return a.place != b.place ? a.place < b.place : a.label < b.label;
}

// Walks the candidates from the best on; one that overlaps a kept one of its class too much falls. Ends at
// max_detections: what comes later is worse.
std::vector<ScoredBox> suppress(std::vector<YoloCandidate>& candidates, const DecodeBoxesOptions& options) {
  if (static_cast<int64_t>(candidates.size()) > kYoloCandidates) {
    std::nth_element(candidates.begin(), candidates.begin() + kYoloCandidates, candidates.end(), better);
    candidates.resize(static_cast<size_t>(kYoloCandidates));
  }
  std::sort(candidates.begin(), candidates.end(), better);
  std::vector<ScoredBox> kept;
  std::unordered_map<int64_t, std::vector<Box>> kept_of_class;
  for (const YoloCandidate& candidate : candidates) {
    if (static_cast<int64_t>(kept.size()) == options.max_detections) break;
    std::vector<Box>& rivals = kept_of_class[candidate.label];
    if (std::any_of(rivals.begin(), rivals.end(), [&](const Box& rival) {
          return intersection_over_union(candidate.box, rival) > options.iou_threshold;
        }))
      continue;
    rivals.push_back(candidate.box);
    kept.push_back({candidate.box, candidate.label, candidate.score});
  }
  return kept;
}

}  // namespace

std::vector<std::vector<ScoredBox>> detect_boxes(const std::vector<Tensor>& maps, const DecodeBoxesOptions& options) {
  check_yolo_maps("detect_boxes", maps, options.anchors, options.num_classes);
  GHOST_CHECK(options.score_threshold >= 0 && options.score_threshold <= 1, "detect_boxes: score_threshold is ",
              options.score_threshold, ", it must lie in [0, 1]");
  GHOST_CHECK(options.iou_threshold >= 0 && options.iou_threshold <= 1, "detect_boxes: iou_threshold is ",
              options.iou_threshold, ", it must lie in [0, 1]");
  GHOST_CHECK(options.max_detections >= 1, "detect_boxes: max_detections is ", options.max_detections,
              ", it must be at least 1");
  if (maps[0].dim(0) == 0) return {};
  std::vector<std::vector<YoloCandidate>> candidates = GHOST_DISPATCH(maps[0].device(), yolo_candidates(maps, options));
  std::vector<std::vector<ScoredBox>> found(candidates.size());
  parallel_for(static_cast<int64_t>(found.size()), [&](int64_t image) {
    const auto i = static_cast<size_t>(image);
    found[i] = suppress(candidates[i], options);
  });
  return found;
}

}  // namespace ghost
