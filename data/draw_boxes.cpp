#include "data/draw_boxes.h"

#include <algorithm>
#include <cmath>

namespace ghost {
namespace {

constexpr Color kBlack{0, 0, 0}, kWhite{255, 255, 255};

// A pixel length in a picture of this size, against 640 pixels.
int scaled(const Image& image, int length) {
  const double factor = std::max(image.width, image.height) / 640.0;
  return std::max(1, static_cast<int>(std::lround(length * factor)));
}

bool is_light(const Color& color) { return 299 * color[0] + 587 * color[1] + 114 * color[2] > 140'000; }

}  // namespace

Color class_color(int64_t label) {
  // Steps of the golden angle round the colour circle.
  const double hue = std::fmod(static_cast<double>(label) * 0.618033988749895 + 0.33, 1.0) * 6;
  const auto channel = [&](double offset) {
    const double place = std::fmod(hue + offset, 6.0);
    const double share = std::clamp(std::abs(place - 3) - 1, 0.0, 1.0);
    return static_cast<uint8_t>(40 + 215 * share);
  };
  return {channel(0), channel(4), channel(2)};
}

void draw_box(Image& image, const Box& box, const std::string& caption, const Color& color) {
  const int line = scaled(image, 2), letters = std::max(1, scaled(image, 1));
  const int left = static_cast<int>(std::floor(box.left)), top = static_cast<int>(std::floor(box.top));
  const int right = static_cast<int>(std::ceil(box.right)), bottom = static_cast<int>(std::ceil(box.bottom));
  fill_rect(image, left, top, right, top + line, color);
  fill_rect(image, left, bottom - line, right, bottom, color);
  fill_rect(image, left, top, left + line, bottom, color);
  fill_rect(image, right - line, top, right, bottom, color);
  if (caption.empty()) return;
  const int height = kTextLineHeight * letters, width = text_width(caption, letters) + 4 * letters;
  const int y = top >= height ? top - height : top;  // above the box where there is room
  const int x = std::clamp(left, 0, std::max(0, image.width - width));
  fill_rect(image, x, y, x + width, y + height, color);
  draw_text(image, x + 2 * letters, y + 2 * letters, caption, is_light(color) ? kBlack : kWhite, letters);
}

Image batch_boxes_mosaic(const DetectionBatch& batch, const std::vector<std::string>& classes,
                         const Preprocess& preprocess, int max_pictures) {
  const int count = static_cast<int>(std::min<int64_t>(batch.size(), max_pictures));
  const int size = static_cast<int>(batch.images.dim(1));
  const int columns = std::max(1, static_cast<int>(std::ceil(std::sqrt(count))));
  const int rows = std::max(1, (count + columns - 1) / columns);
  Image mosaic(columns * (size + 2), rows * (size + 2));
  fill_rect(mosaic, 0, 0, mosaic.width, mosaic.height, kPaper);
  for (int i = 0; i < count; ++i) {
    Image picture = denormalize(batch.images.data<float>() + int64_t{i} * size * size * 3, size, size, preprocess);
    const int64_t* const first = batch.first.data<int64_t>() + i;
    for (int64_t k = first[0]; k < first[1]; ++k) {
      const float* const b = batch.boxes.data<float>() + k * 4;
      const int64_t label = batch.labels.data<int64_t>()[k];
      draw_box(picture, {b[0] - b[2] / 2, b[1] - b[3] / 2, b[0] + b[2] / 2, b[1] + b[3] / 2},
               classes[static_cast<size_t>(label)], class_color(label));
    }
    paste(mosaic, picture, i % columns * (size + 2) + 1, i / columns * (size + 2) + 1);
  }
  return mosaic;
}

}  // namespace ghost
