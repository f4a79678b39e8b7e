// The orientation of a camera picture (EXIF 2.32, section 4.6.4, tag 0x0112) and its application.
#pragma once

#include <cstdint>
#include <span>

#include "data/image.h"

namespace ghost {

// Reads the orientation, 1 to 8, out of a TIFF block (what follows "Exif\0\0" in a JPEG's APP1, or a PNG's eXIf chunk).
// Never reads outside `tiff`; 1 (upright) when there is no valid one.
int exif_orientation(std::span<const uint8_t> tiff);

// Turns a picture stored with `orientation` (1 to 8) upright, in place. 5 to 8 swap width and height.
void apply_orientation(Image& image, int orientation);

}  // namespace ghost
