#include "train/heat_map.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/parallel.h"
#include "kernels/yolo_maps.h"

namespace ghost {
namespace {

// sigmoid(objectness) of the best anchor, per cell.
struct Level {
  int64_t height, width;
  double stride;
  std::vector<float> values;

  float at(int64_t y, int64_t x) const { return values[static_cast<size_t>(y * width + x)]; }

  // At a point of the input; beyond the outermost centres the border's value.
  double sample(double input_x, double input_y) const {
    const double x = std::clamp(input_x / stride - 0.5, 0.0, static_cast<double>(width - 1));
    const double y = std::clamp(input_y / stride - 0.5, 0.0, static_cast<double>(height - 1));
    const auto left = static_cast<int64_t>(x), top = static_cast<int64_t>(y);
    const int64_t right = std::min(left + 1, width - 1), bottom = std::min(top + 1, height - 1);
    const double u = x - static_cast<double>(left), v = y - static_cast<double>(top);
    return (1 - v) * ((1 - u) * at(top, left) + u * at(top, right)) +
           v * ((1 - u) * at(bottom, left) + u * at(bottom, right));
  }
};

Level read_level(const Tensor& map, int64_t classes, double stride) {
  GHOST_CHECK(map.rank() == 4 && map.dim(0) == 1 && map.dim(1) > 0 && map.dim(2) > 0 && map.dim(3) > 0 &&
                  map.dim(3) % (5 + classes) == 0 && map.dtype() == DType::kFloat32 && map.device().is_cpu(),
              "a heat map needs the maps of one picture, {1, h, w, anchors * ", 5 + classes,
              "} float32 on the CPU, not ", map.shape());
  Level level{map.dim(1), map.dim(2), stride, {}};
  const int64_t channels = map.dim(3);
  const float* cell = map.data<float>();
  for (int64_t i = 0; i < level.height * level.width; ++i, cell += map.pitch()) {
    float best = -INFINITY;  // sigmoid rises, so the largest logit has the largest value
    for (int64_t c = 4; c < channels; c += 5 + classes) best = std::max(best, cell[c]);
    level.values.push_back(1 / (1 + std::exp(-best)));
  }
  return level;
}

}  // namespace

std::vector<float> objectness(const std::vector<Tensor>& maps, int64_t classes, int width, int height,
                              const Letterbox& place) {
  GHOST_CHECK(!maps.empty() && classes > 0, "a heat map of ", maps.size(), " maps and ", classes, " classes");
  std::vector<Level> levels;
  for (size_t i = 0; i < maps.size(); ++i) {
    levels.push_back(read_level(maps[i], classes, static_cast<double>(yolo_stride(static_cast<int>(i)))));
    const int64_t scale = int64_t{1} << i;
    GHOST_CHECK(maps[i].dim(1) == scale * maps[0].dim(1) && maps[i].dim(2) == scale * maps[0].dim(2), "map ", i,
                " of a heat map has ", maps[i].shape(), "; each map has twice the height and width of the one before");
  }
  std::vector<float> result(static_cast<size_t>(width) * static_cast<size_t>(height));
  parallel_for(height, [&](int64_t y) {
    float* const row = result.data() + y * width;
    const double input_y = (static_cast<double>(y) + 0.5) * place.scale_y + place.top;
    for (int x = 0; x < width; ++x) {
      const double input_x = (x + 0.5) * place.scale_x + place.left;
      double best = 0;
      for (const Level& level : levels) best = std::max(best, level.sample(input_x, input_y));
      row[x] = static_cast<float>(best);
    }
  });
  return result;
}

HeatColor heat_color(double value) {
  // Points of the ramp at even steps of lightness; linear between them.
  static constexpr std::array<HeatColor, 9> kRamp{{{5, 3, 20},
                                                   {45, 10, 95},
                                                   {95, 21, 126},
                                                   {150, 45, 115},
                                                   {200, 72, 85},
                                                   {235, 110, 60},
                                                   {250, 158, 40},
                                                   {252, 207, 60},
                                                   {252, 250, 165}}};
  const double at = std::clamp(std::isnan(value) ? 0.0 : value, 0.0, 1.0) * static_cast<double>(kRamp.size() - 1);
  const size_t low = std::min(static_cast<size_t>(at), kRamp.size() - 2);
  const double share = at - static_cast<double>(low);
  const HeatColor &a = kRamp[low], &b = kRamp[low + 1];
  return {a.red + share * (b.red - a.red), a.green + share * (b.green - a.green), a.blue + share * (b.blue - a.blue)};
}

Image heat_map(const Image& picture, const std::vector<Tensor>& maps, int64_t classes, const Letterbox& place,
               double opacity) {
  GHOST_CHECK(opacity >= 0 && opacity <= 1, "an opacity of ", opacity, ": it must be in 0 to 1");
  const std::vector<float> values = objectness(maps, classes, picture.width, picture.height, place);
  Image result(picture.width, picture.height);
  for (size_t i = 0; i < values.size(); ++i) {
    const HeatColor heat = heat_color(values[i]);
    const std::array<double, 3> color{heat.red, heat.green, heat.blue};
    for (size_t c = 0; c < 3; ++c) {
      const double mixed = (1 - opacity) * picture.pixels[3 * i + c] + opacity * color[c];
      result.pixels[3 * i + c] = static_cast<uint8_t>(std::lround(mixed));
    }
  }
  return result;
}

}  // namespace ghost
