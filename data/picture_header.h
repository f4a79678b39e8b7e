// What a picture file says about itself, read by our own bounded parsers before any decoder allocates: format, size,
// orientation, and whether the file is complete. Decoders forgive a missing end and give a half grey picture; we do
// not.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace ghost {

enum class PictureFormat { kJpeg, kPng, kBmp };

struct PictureHeader {
  PictureFormat format = PictureFormat::kJpeg;
  int64_t width = 0, height = 0;
  int components = 0;      // JPEG: 1 grey, 3 colour, 4 CMYK or YCCK
  bool has_tables = true;  // JPEG: every scan's Huffman tables are in the file before it
  bool adobe = false;      // JPEG: an Adobe APP14 segment is there
  int orientation = 1;     // EXIF, 1 to 8
};

// Fills `header` by content, never by the file's name. Returns "" or why the bytes are no complete picture: unknown
// format, truncated, a damaged PNG chunk (CRC), a BMP kind that is not supported.
std::string parse_picture_header(std::span<const uint8_t> bytes, PictureHeader& header);

}  // namespace ghost
