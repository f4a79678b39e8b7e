#include "data/exif.h"

#include <gtest/gtest.h>

#include "data/decode.h"
#include "exif_bytes.h"
#include "pictures.h"

namespace ghost {
namespace {

// The upright picture seen through each orientation: how it is stored. The reverse of EXIF's table.
Image stored_as(const Image& upright, int orientation) {
  const bool turned = orientation >= 5;
  Image stored(turned ? upright.height : upright.width, turned ? upright.width : upright.height);
  const int w = stored.width, h = stored.height;
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) {
      // Where the stored pixel (x, y) belongs: row and column of EXIF's "0th row / 0th column" definition.
      int ux = x, uy = y;
      switch (orientation) {
        case 2: ux = w - 1 - x; break;
        case 3:
          ux = w - 1 - x;
          uy = h - 1 - y;
          break;
        case 4: uy = h - 1 - y; break;
        case 5:
          ux = y;
          uy = x;
          break;
        case 6:
          ux = h - 1 - y;
          uy = x;
          break;
        case 7:
          ux = h - 1 - y;
          uy = w - 1 - x;
          break;
        case 8:
          ux = y;
          uy = w - 1 - x;
          break;
        default: break;
      }
      std::copy_n(upright.at(ux, uy), 3, stored.at(x, y));
    }
  return stored;
}

TEST(Exif, EveryOrientationIsTurnedUpright) {
  const Image upright = formula_picture(7, 4);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    Image image = stored_as(upright, orientation);
    apply_orientation(image, orientation);
    EXPECT_EQ(image, upright) << orientation;
  }
}

TEST(Exif, ReadsBothByteOrders) {
  for (int orientation = 1; orientation <= 8; ++orientation)
    for (const bool big : {false, true}) EXPECT_EQ(exif_orientation(exif_tiff(orientation, big)), orientation);
  EXPECT_EQ(exif_orientation(exif_tiff(0, true)), 1);
  EXPECT_EQ(exif_orientation(exif_tiff(9, false)), 1);
}

TEST(Exif, DamagedBlocksAreUpright) {
  const std::vector<uint8_t> tiff = exif_tiff(6, true);
  const size_t end_of_entries = tiff.size() - 4;  // then the link to the next directory, which is not needed
  for (size_t length = 0; length < end_of_entries; ++length)
    EXPECT_EQ(exif_orientation(std::vector<uint8_t>(tiff.begin(), tiff.begin() + static_cast<ptrdiff_t>(length))), 1);
  // Any byte changed to any of a few values: no crash (sanitizers watch), always 1 to 8.
  for (size_t i = 0; i < tiff.size(); ++i)
    for (const int value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
      std::vector<uint8_t> damaged = tiff;
      damaged[i] = static_cast<uint8_t>(value);
      const int orientation = exif_orientation(damaged);
      EXPECT_TRUE(orientation >= 1 && orientation <= 8);
    }
}

TEST(Exif, AppliedWhenDecodingJpegAndPng) {
  const Image upright = smooth_picture(40, 24);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image stored = stored_as(upright, orientation);
    Image image;
    decode_image(with_exif_jpeg(encode_jpeg(stored, 95), orientation), "a.jpg", image);
    EXPECT_LT(mean_difference(image, upright), 2.0) << orientation;
    decode_image(with_exif_png(encode_png(stored), orientation), "a.png", image);
    EXPECT_EQ(image, upright) << orientation;
  }
}

}  // namespace
}  // namespace ghost
