// Which anchor of which cell learns which box: each box goes to the single anchor whose width and height overlap it
// most (the first of equals), to the cell of its centre on that anchor's map. Host code.
#pragma once

#include "kernels/yolo_maps.h"
#include "losses/yolo_loss.h"

namespace ghost {

struct YoloTargets {
  // Matched anchors, map after map, by rising place; those of map l are
  // [first_match[l], first_match[l + 1]).
  std::array<int64_t, kYoloMaps + 1> first_match{};
  Tensor place;    // {m} int64: ((image * h + row) * w + column) * 3 + anchor
  Tensor box;      // {m, 4}: cx, cy, w, h in pixels
  Tensor classes;  // {m, words} int64: a bit for each class of the anchor's boxes
  // All boxes that have an area, picture after picture, for the ignore mask.
  Tensor truth;        // {k, 4}
  Tensor truth_map;    // {k} int32: the map of its anchor
  Tensor truth_first;  // {n + 1} int64
  int64_t matched(int map) const {
    return first_match[static_cast<size_t>(map) + 1] - first_match[static_cast<size_t>(map)];
  }
};

// Shape of a batch's maps: the rows and columns of map l are h[l], w[l].
struct YoloGrid {
  int64_t images = 0;
  std::array<int64_t, kYoloMaps> h{}, w{};
};

// Boxes without area are left out; a later box takes an anchor from an earlier one, their classes join. Tensors of
// floats have `options`' dtype, all lie on its device.
YoloTargets assign_yolo_targets(const DetectionTargets& targets, const YoloGrid& grid, const YoloLossOptions& loss,
                                const TensorOptions& options);

}  // namespace ghost
