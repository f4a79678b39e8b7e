// Which anchor of which cell learns which box: each box goes to the single anchor whose width and height overlap it
// most (the first of equals), to the cell of its centre on that anchor's map. Host code.
//
// How many anchors are matched changes with the batch. Work on a CUDA device reads it there, from `first`, and its
// launches are made for the rows that the tensors have room for, so that a graph of them serves the next batch too.
#pragma once

#include "kernels/yolo_maps.h"
#include "losses/yolo_loss.h"

namespace ghost {

struct YoloTargets {
  // Matched anchors, map after map, by rising place; those of map l are
  // [first[l], first[l + 1]) of the rows; those behind first[kYoloMaps] say nothing.
  Tensor first;    // {kYoloMaps + 1} int64
  Tensor place;    // {m} int64: ((image * h + row) * w + column) * 3 + anchor
  Tensor box;      // {m, 4}: cx, cy, w, h in pixels
  Tensor classes;  // {m, words} int64: a bit for each class of the anchor's boxes
  // All boxes that have an area, picture after picture, for the ignore mask.
  Tensor truth;                              // {k, 4}
  Tensor truth_map;                          // {k} int32: the map of its anchor
  Tensor truth_first;                        // {n + 1} int64
  std::array<int64_t, kYoloMaps> matched{};  // anchors per map, as the host knows them: for the count of launches

  // All of the above but `matched`, and back: to send them to a device together.
  std::vector<Tensor> tensors() const;
  YoloTargets with(const std::vector<Tensor>& tensors) const;
};

// Shape of a batch's maps: the rows and columns of map l are h[l], w[l].
struct YoloGrid {
  int64_t images = 0;
  std::array<int64_t, kYoloMaps> h{}, w{};
};
YoloGrid yolo_grid(const Shape& images);  // {n, h, w, c}

// Boxes without area are left out; a later box takes an anchor from an earlier one, their classes join. Tensors of
// floats have `options`' dtype, all lie on its device; those of matches and boxes have `room` rows or more.
YoloTargets assign_yolo_targets(const DetectionTargets& targets, const YoloGrid& grid, const YoloLossOptions& loss,
                                const TensorOptions& options, int64_t room = 0);

}  // namespace ghost
