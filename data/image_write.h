// Pictures to bytes and files (stb_image_write).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/image.h"

namespace ghost {

std::vector<uint8_t> encode_png(const Image& image);
// quality 1..100.
std::vector<uint8_t> encode_jpeg(const Image& image, int quality = 90);
// A grey PNG from width * height values.
std::vector<uint8_t> encode_grey_png(std::span<const uint8_t> values, int width, int height);

// Writes PNG or JPEG by the file's extension (.png, .jpg, .jpeg). Throws kUsage for another one, kDisk with the path
// and the reason when the file cannot be written.
void write_image(const std::string& path, const Image& image);

}  // namespace ghost
