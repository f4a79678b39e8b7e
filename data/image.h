// A picture in host memory: 8-bit RGB, interleaved, rows top to bottom without padding. Channel order is RGB
// everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ghost {

struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> pixels;  // height * width * 3

  Image() = default;
  Image(int w, int h) { resize(w, h); }
  // Sets the size; contents are undefined. Memory is kept when it shrinks, so a scratch image costs nothing again.
  void resize(int w, int h) {
    width = w;
    height = h;
    pixels.resize(static_cast<size_t>(w) * static_cast<size_t>(h) * 3);
  }
  bool empty() const { return pixels.empty(); }
  uint8_t* row(int y) { return pixels.data() + static_cast<size_t>(y) * static_cast<size_t>(width) * 3; }
  const uint8_t* row(int y) const { return pixels.data() + static_cast<size_t>(y) * static_cast<size_t>(width) * 3; }
  uint8_t* at(int x, int y) { return row(y) + static_cast<size_t>(x) * 3; }
  const uint8_t* at(int x, int y) const { return row(y) + static_cast<size_t>(x) * 3; }
  friend bool operator==(const Image&, const Image&) = default;
};

// A borrowed rectangle of RGB pixels, e.g. a crop of an Image that is not copied out.
struct ImageView {
  const uint8_t* data = nullptr;
  int width = 0, height = 0;
  ptrdiff_t stride = 0;  // bytes between two rows

  ImageView() = default;
  ImageView(const Image& image)  // NOLINT(google-explicit-constructor): an image is a view of itself
      : data(image.pixels.data()), width(image.width), height(image.height), stride(ptrdiff_t{3} * image.width) {}
  const uint8_t* row(int y) const { return data + y * stride; }
  // The rectangle must lie inside.
  ImageView crop(int left, int top, int w, int h) const {
    ImageView view = *this;
    view.data = row(top) + ptrdiff_t{3} * left;
    view.width = w;
    view.height = h;
    return view;
  }
};

}  // namespace ghost
