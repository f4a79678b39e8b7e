// Pictures from bytes: JPEG, PNG and BMP, told apart by content. The result is always upright 8-bit RGB with Pillow's
// meaning of convert("RGB"): grey is repeated, alpha is dropped, a palette is looked up, CMYK goes through (1-c)(1-k);
// 16-bit PNG keeps the high byte. EXIF orientation is always applied.
//
// libjpeg-turbo decodes JPEG where the build has it, else stb_image; their pixels differ slightly (mean 0.1, at most 3
// grey levels), so a run records jpeg_decoder_name().
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "data/image.h"

namespace ghost {

enum class JpegDecoder {
  kBest,  // libjpeg-turbo where the build has it
  kStb,   // stb_image
};

struct DecodeOptions {
  int max_side = 16384;                   // pixels; larger pictures are refused before memory is asked for
  int64_t max_pixels = int64_t{1} << 27;  // width * height
  JpegDecoder jpeg = JpegDecoder::kBest;
};

// The JPEG decoder of this build: "libjpeg-turbo" or "stb_image".
std::string jpeg_decoder_name();

// Decodes into `image`, whose memory is reused. `name` is the file, for messages. Throws kData with the file and the
// reason: empty, unknown format, truncated, damaged, too large, not supported.
void decode_image(std::span<const uint8_t> bytes, const std::string& name, Image& image,
                  const DecodeOptions& options = {});

// Reads and decodes a file. The first form reuses memory of `image` and of the calling thread.
void read_image(const std::string& path, Image& image, const DecodeOptions& options = {});
Image read_image(const std::string& path, const DecodeOptions& options = {});

}  // namespace ghost
