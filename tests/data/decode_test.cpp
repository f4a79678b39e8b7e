#include "data/decode.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/random.h"
#include "exif_bytes.h"
#include "pictures.h"

namespace ghost {
namespace {

using Bytes = std::vector<uint8_t>;

Image decoded(const Bytes& bytes, JpegDecoder jpeg = JpegDecoder::kBest) {
  Image image;
  decode_image(bytes, "picture", image, {.jpeg = jpeg});
  return image;
}

// A PNG of any kind from raw rows (each begins with its filter byte 0).
Bytes make_png(int width, int height, int bits, int color_type, const Bytes& rows, const Bytes& palette = {}) {
  Bytes png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'}, header;
  append_big32(header, static_cast<uint32_t>(width));
  append_big32(header, static_cast<uint32_t>(height));
  header.insert(header.end(), {static_cast<uint8_t>(bits), static_cast<uint8_t>(color_type), 0, 0, 0});
  Bytes packed(compressBound(static_cast<uLong>(rows.size())));
  uLongf size = static_cast<uLongf>(packed.size());
  EXPECT_EQ(compress(packed.data(), &size, rows.data(), static_cast<uLong>(rows.size())), Z_OK);
  packed.resize(size);
  const auto add = [&](const std::string& type, const Bytes& body) {
    const Bytes chunk = png_chunk(type, body);
    png.insert(png.end(), chunk.begin(), chunk.end());
  };
  add("IHDR", header);
  if (!palette.empty()) add("PLTE", palette);
  add("IDAT", packed);
  add("IEND", {});
  return png;
}

Bytes make_bmp(int width, int height, const Image& image) {
  const size_t stride = (static_cast<size_t>(width) * 3 + 3) / 4 * 4;
  Bytes bmp(54 + stride * static_cast<size_t>(height), 0);
  const auto put = [&](size_t at, uint32_t value) {
    for (size_t i = 0; i < 4; ++i) bmp[at + i] = static_cast<uint8_t>(value >> 8 * i);
  };
  bmp[0] = 'B';
  bmp[1] = 'M';
  put(2, static_cast<uint32_t>(bmp.size()));
  put(10, 54);
  put(14, 40);
  put(18, static_cast<uint32_t>(width));
  put(22, static_cast<uint32_t>(height));
  put(26, 1 | 24 << 16);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (size_t c = 0; c < 3; ++c)
        bmp[54 + stride * static_cast<size_t>(height - 1 - y) + static_cast<size_t>(x) * 3 + c] = image.at(x, y)[2 - c];
  return bmp;
}

// A 16x16 JPEG with four components, all of one value: 4 quantisation steps of 1, one DC code per component. Written by
// hand, since stb_image_write has no CMYK.
Bytes make_cmyk_jpeg(bool adobe) {
  Bytes jpeg{0xFF, 0xD8};
  const auto segment = [&](uint8_t marker, const Bytes& body) {
    const size_t length = body.size() + 2;
    jpeg.insert(jpeg.end(), {0xFF, marker, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)});
    jpeg.insert(jpeg.end(), body.begin(), body.end());
  };
  if (adobe) segment(0xEE, {'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0});
  Bytes table(65, 1);
  table[0] = 0;
  segment(0xDB, table);
  segment(0xC0, {8, 0, 8, 0, 8, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0});
  // DC table: category 0 is "0", category 9 is "10". AC table: end of block is "0".
  segment(0xC4, {0x00, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9});
  segment(0xC4, {0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00});
  segment(0xDA, {4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0});
  // DC = 8 * (value - 128): +512 - 8 * 16 = 384 for value 176 (category 9: nine bits 110000000), else 0 (value 128).
  std::string bits =
      "10"
      "110000000"
      "0";  // component 1: 176
  bits +=
      "0"
      "0"
      "0"
      "0";  // components 2 and 3: 128
  bits +=
      "10"
      "110000000"
      "0";  // component 4: 176
  while (bits.size() % 8 != 0) bits += '1';
  for (size_t i = 0; i < bits.size(); i += 8)
    jpeg.push_back(static_cast<uint8_t>(std::stoi(bits.substr(i, 8), nullptr, 2)));
  jpeg.insert(jpeg.end(), {0xFF, 0xD9});
  return jpeg;
}

TEST(Decode, JpegPngBmpByContent) {
  const Image picture = smooth_picture(33, 21);
  EXPECT_EQ(decoded(encode_png(picture)), picture);
  EXPECT_EQ(decoded(make_bmp(33, 21, picture)), picture);
  EXPECT_LT(mean_difference(decoded(encode_jpeg(picture, 95)), picture), 2.0);
  EXPECT_LT(mean_difference(decoded(encode_jpeg(picture, 95), JpegDecoder::kStb), picture), 2.0);
}

TEST(Decode, TheTwoJpegDecodersAgree) {
  const Bytes jpeg = encode_jpeg(smooth_picture(64, 48), 90);
  EXPECT_LT(mean_difference(decoded(jpeg), decoded(jpeg, JpegDecoder::kStb)), 0.5);
  EXPECT_TRUE(jpeg_decoder_name() == "libjpeg-turbo" || jpeg_decoder_name() == "stb_image");
}

TEST(Decode, GreyIsRepeatedAndAlphaDropped) {
  EXPECT_EQ(decoded(encode_grey_png(Bytes{10, 200}, 2, 1)).pixels, (Bytes{10, 10, 10, 200, 200, 200}));
  // RGBA: a transparent pixel keeps its colour.
  EXPECT_EQ(decoded(make_png(2, 1, 8, 6, {0, 1, 2, 3, 0, 4, 5, 6, 255})).pixels, (Bytes{1, 2, 3, 4, 5, 6}));
  // Grey with alpha, and a palette.
  EXPECT_EQ(decoded(make_png(1, 1, 8, 4, {0, 77, 3})).pixels, (Bytes{77, 77, 77}));
  EXPECT_EQ(decoded(make_png(2, 1, 8, 3, {0, 1, 0}, {9, 8, 7, 30, 20, 10})).pixels, (Bytes{30, 20, 10, 9, 8, 7}));
}

TEST(Decode, SixteenBitPngKeepsTheHighByte) {
  EXPECT_EQ(decoded(make_png(1, 1, 16, 2, {0, 0x12, 0xFF, 0x80, 0x00, 0xFE, 0x01})).pixels, (Bytes{0x12, 0x80, 0xFE}));
  EXPECT_EQ(decoded(make_png(1, 1, 16, 0, {0, 0x40, 0xF0})).pixels, (Bytes{0x40, 0x40, 0x40}));
}

TEST(Decode, CmykGoesThroughInverseInks) {
  // Stored inverted: c = 176, m = y = 128, k = 176 mean red 176 * 176 / 255 and green, blue 128 * 176 / 255.
  const int red = 176 - 79 * 176 / 255, other = 176 - 127 * 176 / 255;
  std::vector<JpegDecoder> decoders{JpegDecoder::kBest, JpegDecoder::kStb};
  for (const JpegDecoder decoder : decoders) {
    const Image image = decoded(make_cmyk_jpeg(true), decoder);
    ASSERT_EQ(image.width, 8);
    EXPECT_NEAR(image.at(3, 3)[0], red, 2);
    EXPECT_NEAR(image.at(3, 3)[1], other, 2);
    EXPECT_NEAR(image.at(3, 3)[2], other, 2);
  }
  const std::string message =
      error_message(ErrorKind::kData, [] { decoded(make_cmyk_jpeg(false), JpegDecoder::kStb); });
  EXPECT_NE(message.find("CMYK"), std::string::npos) << message;
  EXPECT_NE(message.find("'picture'"), std::string::npos) << message;
}

TEST(Decode, HugeHeadersAreRefusedBeforeAllocation) {
  Bytes jpeg = encode_jpeg(smooth_picture(16, 16), 90);
  for (size_t i = 0; i + 9 < jpeg.size(); ++i)
    if (jpeg[i] == 0xFF && jpeg[i + 1] == 0xC0) {
      jpeg[i + 5] = jpeg[i + 7] = 0xFF;  // 65500 = 0xFFDC
      jpeg[i + 6] = jpeg[i + 8] = 0xDC;
      break;
    }
  Bytes png = encode_png(smooth_picture(16, 16));
  Bytes png_header;
  append_big32(png_header, 65500);
  append_big32(png_header, 65500);
  png_header.insert(png_header.end(), {8, 2, 0, 0, 0});
  const Bytes chunk = png_chunk("IHDR", png_header);
  std::copy(chunk.begin(), chunk.end(), png.begin() + 8);
  Bytes bmp = make_bmp(16, 16, smooth_picture(16, 16));
  for (const size_t at : {size_t{18}, size_t{22}}) {
    bmp[at] = 0xDC;
    bmp[at + 1] = 0xFF;
  }
  for (const Bytes& bytes : {jpeg, png, bmp}) {
    const std::string message = error_message(ErrorKind::kData, [&] { decoded(bytes); });
    EXPECT_NE(message.find("65500x65500"), std::string::npos) << message;
    EXPECT_NE(message.find("16384"), std::string::npos) << message;
  }
  // Both sides within the limit, but too many pixels together.
  Image image;
  const Bytes small = encode_png(smooth_picture(20, 20));
  error_message(ErrorKind::kData, [&] { decode_image(small, "picture", image, {.max_pixels = 399}); });
  EXPECT_NO_THROW(decode_image(small, "picture", image, {.max_pixels = 400}));
}

TEST(Decode, EveryTruncationIsRefusedWithTheFile) {
  const Image picture = formula_picture(40, 30);
  for (const Bytes& whole : {encode_jpeg(picture, 90), encode_png(picture), make_bmp(40, 30, picture)})
    for (const JpegDecoder decoder : {JpegDecoder::kBest, JpegDecoder::kStb}) {
      ASSERT_NO_THROW(decoded(whole, decoder));
      for (size_t length = 0; length < whole.size(); length += 16) {
        const Bytes part(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
        const std::string message = error_message(ErrorKind::kData, [&] { decoded(part, decoder); });
        ASSERT_NE(message.find("'picture'"), std::string::npos) << message;
      }
      const Bytes almost(whole.begin(), whole.end() - 1);
      error_message(ErrorKind::kData, [&] { decoded(almost, decoder); });
    }
}

TEST(Decode, DamagedBytesNeverCrash) {
  const Image picture = formula_picture(24, 18);
  Rng rng(7, 1);
  int refused = 0;
  for (const Bytes& whole : {encode_jpeg(picture, 80), encode_png(picture), make_bmp(24, 18, picture)})
    for (int round = 0; round < 300; ++round) {
      Bytes damaged = whole;
      for (int64_t i = rng.below(4); i >= 0; --i)
        damaged[static_cast<size_t>(rng.below(static_cast<int64_t>(damaged.size())))] =
            static_cast<uint8_t>(rng.bits());
      for (const JpegDecoder decoder : {JpegDecoder::kBest, JpegDecoder::kStb}) {
        try {
          decoded(damaged, decoder);
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::kData);
          ++refused;
        }
      }
    }
  EXPECT_GT(refused, 300);
}

TEST(Decode, HuffmanTablesOfTooManyCodesAreRefused) {
  Bytes jpeg = encode_jpeg(smooth_picture(16, 16), 90);
  const Bytes marker{0xFF, 0xC4};
  const auto table = std::search(jpeg.begin(), jpeg.end(), marker.begin(), marker.end());
  ASSERT_NE(table, jpeg.end());
  std::fill_n(table + 5, 16, uint8_t{17});  // 272 codes
  for (const JpegDecoder decoder : {JpegDecoder::kBest, JpegDecoder::kStb})
    EXPECT_NE(error_message(ErrorKind::kData, [&] { decoded(jpeg, decoder); }).find("Huffman"), std::string::npos);
}

TEST(Decode, ScansNeedTheirHuffmanTables) {
  Bytes jpeg = encode_jpeg(smooth_picture(16, 16), 90);
  const Bytes marker{0xFF, 0xDA};
  const auto scan = std::search(jpeg.begin(), jpeg.end(), marker.begin(), marker.end());
  ASSERT_NE(scan, jpeg.end());
  scan[6] = 0x33;  // tables 3 and 3 of the first component; the file defines 0 and 1
  for (const JpegDecoder decoder : {JpegDecoder::kBest, JpegDecoder::kStb})
    EXPECT_NE(error_message(ErrorKind::kData, [&] { decoded(jpeg, decoder); }).find("Huffman"), std::string::npos);
}

TEST(Decode, AGoodPictureAfterADamagedOne) {
  const Image picture = formula_picture(24, 18);
  const Bytes whole = encode_jpeg(picture, 90);
  const Image wanted = decoded(whole);
  // Every segment's first bytes in turn, so that decoders stop at every stage.
  for (size_t i = 2; i < whole.size(); ++i) {
    Bytes damaged = whole;
    damaged[i] ^= 0x67;
    try {
      decoded(damaged);
    } catch (const Error&) {
    }
    ASSERT_EQ(decoded(whole), wanted) << i;
  }
}

TEST(Decode, FlippedPngByteIsSeenByItsChecksum) {
  Bytes png = encode_png(smooth_picture(16, 16));
  png[png.size() - 20] ^= 1;
  EXPECT_NE(error_message(ErrorKind::kData, [&] { decoded(png); }).find("CRC"), std::string::npos);
}

TEST(Decode, UnknownAndEmptyFiles) {
  const auto message = [](const Bytes& bytes) { return error_message(ErrorKind::kData, [&] { decoded(bytes); }); };
  EXPECT_NE(message({}).find("empty"), std::string::npos);
  EXPECT_NE(message({'G', 'I', 'F', '8', '9', 'a', 0, 0}).find("not a JPEG, PNG or BMP"), std::string::npos);
  EXPECT_NE(message(Bytes(1000, 'x')).find("not a JPEG"), std::string::npos);
}

TEST(Decode, FilesThatCannotBeOpened) {
  const TempFolder folder;
  EXPECT_NE(error_message(ErrorKind::kData, [&] { read_image(folder.path("none.jpg")); }).find("none.jpg"),
            std::string::npos);
  error_message(ErrorKind::kData, [&] { read_image(folder.path()); });  // a folder
  const Image picture = smooth_picture(9, 9);
  EXPECT_EQ(read_image(folder.write_picture("a b \xC3\xA9.png", picture)), picture);
}

}  // namespace
}  // namespace ghost
