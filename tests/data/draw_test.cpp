#include "data/draw.h"

#include <gtest/gtest.h>

#include "data/decode.h"
#include "pictures.h"

namespace ghost {
namespace {

TEST(ImageWrite, FilesCanBeReadBack) {
  const TempFolder temp;
  const Image picture = smooth_picture(31, 22);
  write_image(temp.path("a.png"), picture);
  write_image(temp.path("a.jpg"), picture);
  EXPECT_EQ(read_image(temp.path("a.png")), picture);
  EXPECT_LT(mean_difference(read_image(temp.path("a.jpg")), picture), 3.0);
  error_message(ErrorKind::kUsage, [&] { write_image(temp.path("a.gif"), picture); });
  error_message(ErrorKind::kUsage, [&] { write_image(temp.path("noextension"), picture); });
  const std::string message =
      error_message(ErrorKind::kDisk, [&] { write_image(temp.path("missing/a.png"), picture); });
  EXPECT_NE(message.find("missing/a.png"), std::string::npos);
  if (std::filesystem::exists("/dev/full")) {
    const std::string full = error_message(ErrorKind::kDisk, [] { write_file("/dev/full", std::vector<uint8_t>(10)); });
    EXPECT_NE(full.find("space"), std::string::npos) << full;
  }
}

TEST(Draw, TextIsInkOfItsWidthAndIsCutAtBorders) {
  Image image(80, 20);
  draw_text(image, 3, 4, "Ag", {255, 255, 255});
  int ink = 0, right = 0;
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 80; ++x)
      if (image.at(x, y)[0] == 255) ++ink, right = std::max(right, x);
  EXPECT_GT(ink, 15);
  EXPECT_LE(right, 3 + text_width("Ag"));
  EXPECT_EQ(text_width("Ag", 3), 3 * text_width("Ag"));
  EXPECT_EQ(text_width("\xC3\xA9"), text_width("?"));
  Image tiny(5, 5);
  draw_text(tiny, -20, -3, "a long text that leaves the picture", {1, 2, 3}, 2);
  paste(tiny, smooth_picture(9, 9), -3, -2);
  EXPECT_EQ(tiny.at(0, 0)[1], smooth_picture(9, 9).at(3, 2)[1]);
}

TEST(Draw, MosaicShowsThePictures) {
  const Preprocess preprocess{.size = 8};
  Tensor images({5, 8, 8, 3});
  for (int i = 0; i < 5; ++i) normalize(smooth_picture(8, 8, i), preprocess, images.data<float>() + i * 8 * 8 * 3);
  const std::vector<std::string> captions{"zero", "one", "two", "three", std::string(200, 'x')};
  const Image mosaic = batch_mosaic(images, captions, preprocess);
  // 14 times enlarged, three columns.
  EXPECT_EQ(mosaic.width, 3 * (8 * 14 + 2));
  EXPECT_EQ(mosaic.height, 2 * (8 * 14 + 14));
  const int left = 8 * 14 + 2;
  for (size_t c = 0; c < 3; ++c)
    EXPECT_EQ(mosaic.at(left + 1 + 3 * 14 + 7, 1 + 5 * 14 + 7)[c], smooth_picture(8, 8, 1).at(3, 5)[c]);
}

}  // namespace
}  // namespace ghost
