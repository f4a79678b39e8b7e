#include "kernels/yolo_decode.h"

#include "kernels/yolo_candidates.h"
#include "kernels/yolo_maps.h"

namespace ghost {

std::vector<std::vector<ScoredBox>> detect_boxes(const std::vector<Tensor>& maps, const DecodeBoxesOptions& options) {
  check_yolo_maps("detect_boxes", maps, options.anchors, options.num_classes);
  GHOST_CHECK(options.score_threshold >= 0 && options.score_threshold <= 1, "detect_boxes: score_threshold is ",
              options.score_threshold, ", it must lie in [0, 1]");
  GHOST_CHECK(options.iou_threshold >= 0 && options.iou_threshold <= 1, "detect_boxes: iou_threshold is ",
              options.iou_threshold, ", it must lie in [0, 1]");
  GHOST_CHECK(options.max_detections >= 1, "detect_boxes: max_detections is ", options.max_detections,
              ", it must be at least 1");
  if (maps[0].dim(0) == 0) return {};
  return GHOST_DISPATCH(maps[0].device(), yolo_detect(maps, options));
}

}  // namespace ghost
