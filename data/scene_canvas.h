// Backgrounds and blending for data/scenes.cpp.
#pragma once

#include <array>
#include <span>

#include "core/box.h"
#include "core/random.h"
#include "data/image.h"

namespace ghost {

using Shade = std::array<float, 3>;  // RGB, 0 to 255

// One of plain, slope, stripes, checks and clouds, with grain; dark, as the pieces are light.
void draw_canvas(Image& image, Rng& rng);

// A grey piece of side x side values, scaled to `width` pixels, its grey as opacity and shading, with its upper left
// corner at (left, top); the piece must lie inside. Returns the box of the pixels that it changed visibly.
Box draw_piece(Image& image, std::span<const uint8_t> piece, int side, int left, int top, int width, bool mirror,
               const Shade& color);
// The box that draw_piece() would return.
Box piece_box(std::span<const uint8_t> piece, int side, int left, int top, int width, bool mirror);

}  // namespace ghost
