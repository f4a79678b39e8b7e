// Pictures and folders that the data tests make for themselves.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/file_bytes.h"
#include "data/image.h"
#include "data/image_write.h"
#include "tests/support/temp_folder.h"

namespace ghost {

// Noise on a slope; the same formula as in golden/pillow/make_golden.py.
inline Image formula_picture(int width, int height) {
  Image image(width, height);
  for (uint32_t y = 0; y < static_cast<uint32_t>(height); ++y)
    for (uint32_t x = 0; x < static_cast<uint32_t>(width); ++x)
      for (uint32_t c = 0; c < 3; ++c) {
        uint32_t noise = (x * 73856093u) ^ (y * 19349663u) ^ (c * 83492791u);
        noise = (noise ^ (noise >> 13)) * 0x5BD1E995u;
        const uint32_t smooth = x * 5 + y * 3 + c * 60;
        image.at(static_cast<int>(x), static_cast<int>(y))[c] =
            static_cast<uint8_t>(((noise >> 15) & 127) + smooth % 129);
      }
  return image;
}

// A soft picture that JPEG keeps within a few levels; `shade` makes pictures differ.
inline Image smooth_picture(int width, int height, int shade = 0) {
  Image image(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      uint8_t* p = image.at(x, y);
      p[0] = static_cast<uint8_t>((x * 200 / width + shade * 37) % 256);
      p[1] = static_cast<uint8_t>(y * 200 / height);
      p[2] = static_cast<uint8_t>((40 + shade * 11) % 256);
    }
  return image;
}

inline double mean_difference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height) return 1e9;
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(int{a.pixels[i]} - int{b.pixels[i]});
  return sum / static_cast<double>(a.pixels.size());
}

// The files of one test.
class TempFolder : public test::TempFolder {
 public:
  std::string write(const std::string& name, std::span<const uint8_t> bytes) const {
    return write_text(name, std::string(bytes.begin(), bytes.end()));
  }
  std::string write_picture(const std::string& name, const Image& image) const {
    return write(name, name.ends_with(".png") ? encode_png(image) : encode_jpeg(image, 95));
  }
};

// The message of the ghost::Error that `body` throws; fails the test when it throws none or one of another kind.
template <class Body>
std::string error_message(ErrorKind kind, const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

}  // namespace ghost
