#include "data/draw.h"

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb_easy_font.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"

namespace ghost {
namespace {

constexpr Color kInk{235, 235, 235};
constexpr int kSmallestTile = 112;

std::string printable(std::string text) {
  // One '?' per UTF-8 letter: its continuation bytes vanish.
  std::erase_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; });
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text;
}

// The font's letters are rectangles: four corners each.
struct Corner {
  float x, y, z;
  uint8_t color[4];
};

}  // namespace

void fill_rect(Image& image, int left, int top, int right, int bottom, const Color& color) {
  left = std::max(left, 0);
  right = std::min(right, image.width);
  for (int y = std::max(top, 0); y < std::min(bottom, image.height); ++y)
    for (int x = left; x < right; ++x) std::copy(color.begin(), color.end(), image.at(x, y));
}

int text_width(const std::string& text, int scale) {
  std::string ascii = printable(text);
  return stb_easy_font_width(ascii.data()) * scale;
}

void draw_text(Image& image, int x, int y, const std::string& text, const Color& color, int scale) {
  constexpr size_t kBytesPerLetter = 512;  // stb_easy_font.h says about 270
  std::string ascii = printable(text);
  std::vector<Corner> corners((ascii.size() + 1) * kBytesPerLetter / sizeof(Corner));
  const int rects = stb_easy_font_print(0, 0, ascii.data(), nullptr, corners.data(),
                                        static_cast<int>(corners.size() * sizeof(Corner)));
  for (int i = 0; i < rects; ++i) {
    const Corner& low = corners[static_cast<size_t>(i) * 4];
    const Corner& high = corners[static_cast<size_t>(i) * 4 + 2];
    const auto at = [&](float value) { return static_cast<int>(std::lround(value)) * scale; };
    fill_rect(image, x + at(low.x), y + at(low.y), x + at(high.x), y + at(high.y), color);
  }
}

void paste(Image& image, const Image& part, int left, int top) {
  const int first = std::max(-left, 0), last = std::min(part.width, image.width - left);
  for (int y = std::max(-top, 0); y < std::min(part.height, image.height - top); ++y)
    if (first < last) std::copy(part.at(first, y), part.row(y) + 3 * last, image.at(left + first, top + y));
}

Image batch_mosaic(const Tensor& images, const std::vector<std::string>& captions, const Preprocess& preprocess,
                   int max_pictures) {
  GHOST_CHECK(images.rank() == 4 && images.channels() == 3 && images.contiguous(),
              "batch_mosaic: needs a contiguous [n, h, w, 3], got ", images.shape());
  const int count = static_cast<int>(std::min<int64_t>(images.dim(0), max_pictures));
  GHOST_CHECK(count >= 1 && static_cast<int64_t>(captions.size()) >= count, "batch_mosaic: ", captions.size(),
              " captions for ", count, " pictures");
  const int height = static_cast<int>(images.dim(1)), width = static_cast<int>(images.dim(2));
  const int zoom = std::max(1, (kSmallestTile + width - 1) / width);
  const int columns = static_cast<int>(std::ceil(std::sqrt(count))), rows = (count + columns - 1) / columns;
  const int tile_width = width * zoom + 2, tile_height = height * zoom + kTextLineHeight + 2;
  Image mosaic(columns * tile_width, rows * tile_height);
  fill_rect(mosaic, 0, 0, mosaic.width, mosaic.height, kPaper);
  for (int i = 0; i < count; ++i) {
    const Image picture =
        denormalize(images.data<float>() + int64_t{i} * height * width * 3, width, height, preprocess);
    Image large(width * zoom, height * zoom);
    for (int y = 0; y < large.height; ++y)
      for (int x = 0; x < large.width; ++x) std::copy_n(picture.at(x / zoom, y / zoom), 3, large.at(x, y));
    const int left = i % columns * tile_width, top = i / columns * tile_height;
    std::string caption = captions[static_cast<size_t>(i)];
    while (!caption.empty() && text_width(caption) > tile_width - 4) caption.pop_back();
    paste(mosaic, large, left + 1, top + 1);
    draw_text(mosaic, left + 2, top + large.height + 4, caption, kInk);
  }
  return mosaic;
}

}  // namespace ghost
