#include "data/pixel_kernels.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "data/pixel_kernels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target, as Highway asks.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ghost::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Ints = hn::CappedTag<int32_t, kTilePixel>;
using IntBytes = hn::Rebind<uint8_t, Ints>;

constexpr int32_t kHalf = 1 << (kWeightBits - 1);

// Output pixel i of the four rows, into `column`.
HWY_INLINE void resample_column(const uint8_t* tile, const FilterTable& table, int i, uint8_t* column) {
  const Ints ints;
  const IntBytes bytes;
  const int step = static_cast<int>(hn::Lanes(ints));
  const int32_t* weights = table.weights + i * table.weight_stride;
  const int taps = table.taps[i];
  for (int lane = 0; lane < kTilePixel; lane += step) {
    const uint8_t* from = tile + int64_t{table.first[i]} * kTilePixel + lane;
    auto sum = hn::Set(ints, kHalf);
    for (int t = 0; t < taps; ++t, from += kTilePixel)
      sum = hn::Add(sum, hn::Mul(hn::PromoteTo(ints, hn::LoadU(bytes, from)), hn::Set(ints, weights[t])));
    hn::StoreU(hn::DemoteTo(bytes, hn::ShiftRight<kWeightBits>(sum)), bytes, column + lane);
  }
}

void resample_tile(const uint8_t* tile, const FilterTable& table, uint8_t* const out[kTileRows]) {
  alignas(kTilePixel) uint8_t column[kTilePixel];
  // Four bytes at once are quicker; the next pixel overwrites the fourth. The last pixel of a row has no next.
  const int last = table.count - 1;
  for (int i = 0; i < last; ++i) {
    resample_column(tile, table, i, column);
    for (int row = 0; row < kTileRows; ++row) std::memcpy(out[row] + ptrdiff_t{3} * i, column + 4 * row, 4);
  }
  resample_column(tile, table, last, column);
  for (int row = 0; row < kTileRows; ++row) std::memcpy(out[row] + ptrdiff_t{3} * last, column + 4 * row, 3);
}

// One output row from `taps` source rows.
void resample_row(const uint8_t* source, ptrdiff_t stride, const int32_t* weights, int taps, uint8_t* out,
                  int64_t count) {
  const Ints ints;
  const IntBytes bytes;
  const int64_t step = static_cast<int64_t>(hn::Lanes(ints));
  const auto weighted = [&](const uint8_t* from, int32_t weight) HWY_ATTR {
    return hn::Mul(hn::PromoteTo(ints, hn::LoadU(bytes, from)), hn::Set(ints, weight));
  };
  const auto store = [&](auto sum, uint8_t* to)
                         HWY_ATTR { hn::StoreU(hn::DemoteTo(bytes, hn::ShiftRight<kWeightBits>(sum)), bytes, to); };
  int64_t i = 0;
  for (; i + 2 * step <= count; i += 2 * step) {
    auto sum0 = hn::Set(ints, kHalf), sum1 = sum0;
    const uint8_t* from = source + i;
    for (int t = 0; t < taps; ++t, from += stride) {
      sum0 = hn::Add(sum0, weighted(from, weights[t]));
      sum1 = hn::Add(sum1, weighted(from + step, weights[t]));
    }
    store(sum0, out + i);
    store(sum1, out + i + step);
  }
  for (; i < count; ++i) {
    int32_t sum = kHalf;
    for (int t = 0; t < taps; ++t) sum += source[t * stride + i] * weights[t];
    out[i] = static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
  }
}

void resample_rows(const uint8_t* source, ptrdiff_t source_stride, const FilterTable& table, uint8_t* out,
                   ptrdiff_t out_stride, int64_t bytes) {
  for (int i = 0; i < table.count; ++i)
    resample_row(source + table.first[i] * source_stride, source_stride, table.weights + i * table.weight_stride,
                 table.taps[i], out + i * out_stride, bytes);
}

void normalize_pixels(const uint8_t* pixels, int64_t count, const float mean[3], const float scale[3], float* out) {
  using Floats = hn::CappedTag<float, 16>;
  const Floats floats;
  const hn::Rebind<int32_t, Floats> ints;
  const hn::Rebind<uint8_t, Floats> bytes;
  const int64_t step = static_cast<int64_t>(hn::Lanes(floats));
  // Three vectors hold a whole number of pixels, so the channel pattern repeats after them.
  std::array<float, 48> means, scales;
  for (size_t i = 0; i < means.size(); ++i) {
    means[i] = mean[i % 3];
    scales[i] = scale[i % 3];
  }
  int64_t i = 0;
  for (; i + 3 * step <= count; i += 3 * step) {
    for (int64_t part = 0; part < 3 * step; part += step) {
      const auto value = hn::ConvertTo(floats, hn::PromoteTo(ints, hn::LoadU(bytes, pixels + i + part)));
      const auto centred = hn::Sub(value, hn::LoadU(floats, means.data() + part));
      hn::StoreU(hn::Mul(centred, hn::LoadU(floats, scales.data() + part)), floats, out + i + part);
    }
  }
  for (; i < count; ++i) out[i] = (static_cast<float>(pixels[i]) - mean[i % 3]) * scale[i % 3];
}

}  // namespace
}  // namespace ghost::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ghost {

HWY_EXPORT(resample_tile);
HWY_EXPORT(resample_rows);
HWY_EXPORT(normalize_pixels);

void resample_tile(const uint8_t* tile, const FilterTable& table, uint8_t* const out[kTileRows]) {
  HWY_DYNAMIC_DISPATCH(resample_tile)(tile, table, out);
}

void resample_rows(const uint8_t* source, ptrdiff_t source_stride, const FilterTable& table, uint8_t* out,
                   ptrdiff_t out_stride, int64_t bytes) {
  HWY_DYNAMIC_DISPATCH(resample_rows)(source, source_stride, table, out, out_stride, bytes);
}

void normalize_pixels(const uint8_t* pixels, int64_t count, const float mean[3], const float scale[3], float* out) {
  HWY_DYNAMIC_DISPATCH(normalize_pixels)(pixels, count, mean, scale, out);
}

}  // namespace ghost
#endif
