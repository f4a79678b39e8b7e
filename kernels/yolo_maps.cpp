#include "kernels/yolo_maps.h"

#include <cmath>

namespace ghost {
namespace {

void check_anchors(const char* op, const std::vector<Anchor>& anchors) {
  GHOST_CHECK(anchors.size() == kYoloMaps * kYoloAnchors, op, ": 9 anchors are needed, got ", anchors.size());
  for (const auto& [w, h] : anchors)
    GHOST_CHECK(std::isfinite(w) && std::isfinite(h) && w > 0 && h > 0, op, ": an anchor is ", w, " x ", h,
                " pixels, width and height must be above 0. Mend the file of anchors.");
}

}  // namespace

void check_yolo_maps(const char* op, const std::vector<Tensor>& maps, const std::vector<Anchor>& anchors,
                     int64_t num_classes) {
  check_anchors(op, anchors);
  GHOST_CHECK(num_classes >= 1, op, ": num_classes is ", num_classes, ", it must be at least 1");
  GHOST_CHECK(maps.size() == kYoloMaps, op, ": 3 maps (strides 32, 16, 8) are needed, got ", maps.size());
  const Tensor& coarsest = maps[0];
  const int64_t channels = kYoloAnchors * (5 + num_classes);
  for (size_t l = 0; l < kYoloMaps; ++l) {
    const Tensor& map = maps[l];
    GHOST_CHECK(map.rank() == 4 && map.dim(3) == channels, op, ": map ", l, " is ", map.shape(),
                ", it must be {n, h, w, ", channels, "}: 3 * (5 + ", num_classes, " classes)");
    const int64_t scale = int64_t{1} << l;
    GHOST_CHECK(map.dim(0) == coarsest.dim(0) && map.dim(1) == coarsest.dim(1) * scale &&
                    map.dim(2) == coarsest.dim(2) * scale && map.dim(1) >= 1 && map.dim(2) >= 1,
                op, ": map ", l, " is ", map.shape(), ", map 0 is ", coarsest.shape(),
                "; each must have as many pictures as map 0 and twice the rows and columns of the map before");
    GHOST_CHECK(map.dtype() == coarsest.dtype() && map.device() == coarsest.device(), op, ": map ", l, " is ",
                map.dtype(), " on ", map.device(), ", map 0 ", coarsest.dtype(), " on ", coarsest.device());
  }
}

}  // namespace ghost
