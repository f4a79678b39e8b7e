// EXIF blocks and picture files that hold them.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ghost {

// A TIFF block with two entries, the second is the orientation.
inline std::vector<uint8_t> exif_tiff(int orientation, bool big) {
  std::vector<uint8_t> bytes;
  const auto put = [&](uint32_t value, int size) {
    for (int i = 0; i < size; ++i) bytes.push_back(static_cast<uint8_t>(value >> 8 * (big ? size - 1 - i : i)));
  };
  bytes = {static_cast<uint8_t>(big ? 'M' : 'I'), static_cast<uint8_t>(big ? 'M' : 'I')};
  put(42, 2);
  put(8, 4);
  put(2, 2);
  for (const uint32_t tag : {0x010Fu, 0x0112u}) {
    put(tag, 2);
    put(3, 2);
    put(1, 4);
    put(tag == 0x0112u ? static_cast<uint32_t>(orientation) : 0u, 2);
    put(0, 2);
  }
  put(0, 4);
  return bytes;
}

inline std::vector<uint8_t> with_exif_jpeg(std::vector<uint8_t> jpeg, int orientation) {
  std::vector<uint8_t> segment{'E', 'x', 'i', 'f', 0, 0};
  const std::vector<uint8_t> tiff = exif_tiff(orientation, orientation % 2 == 0);
  segment.insert(segment.end(), tiff.begin(), tiff.end());
  const size_t length = segment.size() + 2;
  segment.insert(segment.begin(), {0xFF, 0xE1, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)});
  jpeg.insert(jpeg.begin() + 2, segment.begin(), segment.end());
  return jpeg;
}

inline void append_big32(std::vector<uint8_t>& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(value >> shift));
}

inline std::vector<uint8_t> png_chunk(const std::string& type, const std::vector<uint8_t>& body) {
  std::vector<uint8_t> chunk;
  append_big32(chunk, static_cast<uint32_t>(body.size()));
  chunk.insert(chunk.end(), type.begin(), type.end());
  chunk.insert(chunk.end(), body.begin(), body.end());
  append_big32(chunk, static_cast<uint32_t>(crc32(0, chunk.data() + 4, static_cast<uInt>(chunk.size() - 4))));
  return chunk;
}

inline std::vector<uint8_t> with_exif_png(std::vector<uint8_t> png, int orientation) {
  const std::vector<uint8_t> chunk = png_chunk("eXIf", exif_tiff(orientation, true));
  png.insert(png.begin() + 8 + 25, chunk.begin(), chunk.end());  // after the signature and IHDR
  return png;
}

}  // namespace ghost
