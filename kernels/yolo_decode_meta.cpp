#include "kernels/yolo_candidates.h"

namespace ghost::meta {

std::vector<std::vector<ScoredBox>> yolo_detect(const std::vector<Tensor>&, const DecodeBoxesOptions&) {
  GHOST_FAIL(kUsage, "detect_boxes: maps on the meta device hold no values to decode");
}

}  // namespace ghost::meta
