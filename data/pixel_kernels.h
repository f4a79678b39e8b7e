// The inner loops over pixels, compiled for several instruction sets and chosen at run time (Highway). Integer results
// and the floats of normalize_pixels are the same bits on every CPU.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ghost {

constexpr int kWeightBits = 22;  // Pillow's PRECISION_BITS: 32 - 8 bits of pixel - 2 bits of headroom
constexpr int kTileRows = 4;     // rows that the horizontal pass handles at once
constexpr int kTilePixel = 16;   // bytes of one column of a tile: four pixels of four bytes

// For each of `count` outputs i: pixels first[i] .. first[i] + taps[i] with weights at weights + i * weight_stride.
struct FilterTable {
  const int32_t* first;
  const int32_t* taps;
  const int32_t* weights;
  int64_t weight_stride;
  int count;
};

// Resamples one tile: `tile` holds, for each column, the pixels of four rows, 4 bytes each (the fourth is ignored).
// Writes pixel i of row r at out[r] + 3 * i.
void resample_tile(const uint8_t* tile, const FilterTable& table, uint8_t* const out[kTileRows]);

// Resamples columns of bytes: out row i = sum of weights times source rows; `bytes` per row.
void resample_rows(const uint8_t* source, ptrdiff_t source_stride, const FilterTable& table, uint8_t* out,
                   ptrdiff_t out_stride, int64_t bytes);

// out[i] = (pixels[i] - mean[i % 3]) * scale[i % 3]; count is a multiple of 3.
void normalize_pixels(const uint8_t* pixels, int64_t count, const float mean[3], const float scale[3], float* out);

}  // namespace ghost
