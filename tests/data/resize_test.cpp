#include "data/resize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/pixel_kernels.h"
#include "data/preprocess.h"
#include "pictures.h"

namespace ghost {
namespace {

Image cut(const Image& image, const ResizeWindow& window) {
  Image out(window.width, window.height);
  for (int y = 0; y < window.height; ++y)
    for (int x = 0; x < window.width; ++x) std::copy_n(image.at(window.left + x, window.top + y), 3, out.at(x, y));
  return out;
}

Image resized(ImageView source, const ResizeOptions& options) {
  Image out;
  resize(source, options, out);
  return out;
}

TEST(Resize, SameSizeIsACopy) {
  const Image picture = formula_picture(23, 17);
  EXPECT_EQ(resized(picture, {.width = 23, .height = 17}), picture);
}

TEST(Resize, ConstantStaysConstant) {
  Image picture(31, 19);
  std::fill(picture.pixels.begin(), picture.pixels.end(), uint8_t{201});
  for (const Interpolation interpolation : {Interpolation::kBilinear, Interpolation::kBicubic})
    for (const int side : {1, 7, 64}) {
      const Image out = resized(picture, {.width = side, .height = side + 3, .interpolation = interpolation});
      for (const uint8_t value : out.pixels) ASSERT_EQ(value, 201);
    }
}

TEST(Resize, WindowEqualsCutAfterwards) {
  const Image picture = formula_picture(83, 57);
  for (const Interpolation interpolation : {Interpolation::kBilinear, Interpolation::kBicubic})
    for (const auto& [w, h] : {std::pair{40, 33}, {200, 120}, {83, 20}, {20, 57}, {83, 57}, {90, 10}}) {
      const ResizeWindow window{w / 5, h / 4, w / 2, h / 2};
      const Image whole = resized(picture, {.width = w, .height = h, .interpolation = interpolation});
      const Image part = resized(picture, {.width = w, .height = h, .interpolation = interpolation, .window = window});
      EXPECT_EQ(part, cut(whole, window)) << w << "x" << h;
    }
}

TEST(Resize, CropViewEqualsCutBefore) {
  const Image picture = formula_picture(83, 57);
  const ResizeWindow rect{11, 7, 50, 41};
  EXPECT_EQ(resized(ImageView(picture).crop(rect.left, rect.top, rect.width, rect.height), {.width = 24, .height = 24}),
            resized(cut(picture, rect), {.width = 24, .height = 24}));
}

TEST(Resize, RefusesSizesOutOfRange) {
  const Image picture = formula_picture(8, 8);
  EXPECT_NE(error_message(ErrorKind::kUsage, [&] { resized(picture, {.width = 0, .height = 4}); }).find("0x4"),
            std::string::npos);
  error_message(ErrorKind::kUsage, [&] { resized(picture, {.width = 4, .height = 4, .box = {0, 0, 9, 8}}); });
  error_message(ErrorKind::kUsage, [&] { resized(picture, {.width = 4, .height = 4, .window = {2, 0, 3, 4}}); });
  error_message(ErrorKind::kUsage, [&] { resized(Image(), {.width = 4, .height = 4}); });
}

TEST(Preprocess, NormalizeIsTheFormula) {
  const Image picture = formula_picture(37, 5);  // an odd size leaves a rest after the vectors
  const Preprocess preprocess;
  std::vector<float> out(picture.pixels.size(), -99.0f);
  normalize(picture, preprocess, out.data());
  for (size_t i = 0; i < out.size(); ++i) {
    const double wanted = (picture.pixels[i] / 255.0 - static_cast<double>(preprocess.mean[i % 3])) /
                          static_cast<double>(preprocess.std[i % 3]);
    ASSERT_NEAR(static_cast<double>(out[i]), wanted, 2e-6) << i;
  }
  EXPECT_EQ(denormalize(out.data(), picture.width, picture.height, preprocess), picture);
}

TEST(Preprocess, FramesTheCentre) {
  // A white disc in the middle of a wide black picture is in the middle of the input.
  Image picture(300, 100);
  for (int y = 0; y < 100; ++y)
    for (int x = 0; x < 300; ++x) {
      const bool inside = std::hypot(x - 149.5, y - 49.5) < 20;
      std::fill_n(picture.at(x, y), 3, static_cast<uint8_t>(inside ? 255 : 0));
    }
  Image out;
  resize_and_crop(picture, {.size = 50, .crop_pct = 1.0f}, out);
  EXPECT_EQ(out.at(24, 24)[0], 255);
  EXPECT_EQ(out.at(2, 24)[0], 0);
  EXPECT_EQ(out.at(5, 10)[0], out.at(44, 10)[0]);
}

}  // namespace
}  // namespace ghost
