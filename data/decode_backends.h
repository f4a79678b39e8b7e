// The decoders behind decode.cpp. Each fills `image` with RGB as stored (no orientation) and returns "" or the reason.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "data/image.h"
#include "data/picture_header.h"

namespace ghost {

std::string decode_with_stb(std::span<const uint8_t> bytes, const PictureHeader& header, Image& image);
std::string decode_with_turbojpeg(std::span<const uint8_t> bytes, const PictureHeader& header, Image& image);
bool has_turbojpeg();

}  // namespace ghost
