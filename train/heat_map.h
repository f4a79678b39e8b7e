// Where a detector sees something: its objectness laid over the picture.
#pragma once

#include <vector>

#include "core/tensor.h"
#include "data/detection_loader.h"

namespace ghost {

// Per pixel of the picture {height * width}: the largest sigmoid(objectness) over anchors and maps, each map
// interpolated linearly between its cells' centres. `maps`: as a detector gives them for one picture, {1, h, w,
// anchors * (5 + classes)} float32 on the CPU, strides 32, 16, 8; `place`: how the picture lies in the input.
std::vector<float> objectness(const std::vector<Tensor>& maps, int64_t classes, int width, int height,
                              const Letterbox& place);

// A colour for [0, 1], dark violet over red to light yellow: lightness rises evenly, in grey print too.
struct HeatColor {
  double red, green, blue;  // 0 to 255
};
HeatColor heat_color(double value);

// The picture with the colours of its objectness over it; `opacity` 0 shows the picture, 1 the colours alone.
Image heat_map(const Image& picture, const std::vector<Tensor>& maps, int64_t classes, const Letterbox& place,
               double opacity = 0.6);

}  // namespace ghost
