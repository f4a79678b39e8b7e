// The three maps of a YOLO detector: {n, h, w, 3 * (5 + classes)}, anchor-major, x y w h objectness classes; strides
// 32, 16, 8, with the anchors [6, 9), [3, 6), [0, 3) of nine by size.
#pragma once

#include <vector>

#include "core/box.h"
#include "core/tensor.h"

namespace ghost {

inline constexpr int kYoloMaps = 3, kYoloAnchors = 3;  // anchors of a map
constexpr int64_t yolo_stride(int map) { return 32 >> map; }

// Refuses, in the name of `op`, maps and anchors that do not fit each other.
void check_yolo_maps(const char* op, const std::vector<Tensor>& maps, const std::vector<Anchor>& anchors,
                     int64_t num_classes);

}  // namespace ghost
