// Small drawings on pictures: text, boxes' outlines, and a mosaic of a batch.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "data/image.h"
#include "data/preprocess.h"

namespace ghost {

using Color = std::array<uint8_t, 3>;

inline constexpr Color kPaper{24, 24, 24};  // the ground of a mosaic
inline constexpr int kTextLineHeight = 12;  // in pixels, at scale 1

// Fills [left, right) x [top, bottom), cut at the borders.
void fill_rect(Image& image, int left, int top, int right, int bottom, const Color& color);

// Text with its upper left corner at (x, y), cut at the borders. Letters are 7 * scale high in a line of 12 * scale;
// what is not printable ASCII becomes '?'.
void draw_text(Image& image, int x, int y, const std::string& text, const Color& color, int scale = 1);
int text_width(const std::string& text, int scale = 1);

// Copies `part` into `image` at (left, top), cut at the borders.
void paste(Image& image, const Image& part, int left, int top);

// The first pictures of a batch side by side, each with its caption below; `images` is {n, h, w, 3} float32, normalised
// by `preprocess`. Small pictures are enlarged so that a caption can be read.
Image batch_mosaic(const Tensor& images, const std::vector<std::string>& captions, const Preprocess& preprocess,
                   int max_pictures = 16);

}  // namespace ghost
