#include <algorithm>
#include <unordered_map>

#include "core/parallel.h"
#include "kernels/yolo_candidates.h"

namespace ghost::cpu {
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

std::vector<std::vector<ScoredBox>> suppress_boxes(YoloCandidates candidates, const DecodeBoxesOptions& options) {
  std::vector<std::vector<ScoredBox>> found(candidates.size());
  parallel_for(static_cast<int64_t>(found.size()), [&](int64_t image) {
    const auto i = static_cast<size_t>(image);
    found[i] = suppress(candidates[i], options);
  });
  return found;
}

std::vector<std::vector<ScoredBox>> yolo_detect(const std::vector<Tensor>& maps, const DecodeBoxesOptions& options) {
  return suppress_boxes(yolo_candidates(maps, options), options);
}

}  // namespace ghost::cpu
