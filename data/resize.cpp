#include "data/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "data/pixel_kernels.h"

namespace ghost {
namespace {

double triangle(double x) {
  x = std::fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

// One axis: which input pixels with which weights make each output pixel.
class Filter {
 public:
  // Outputs [begin, begin + count) of `out_size`, which cover [low, high) of `in_size` inputs.
  void build(int in_size, float low, float high, int out_size, int begin, int count, Interpolation interpolation) {
    const bool bilinear = interpolation == Interpolation::kBilinear;
    const double scale = static_cast<double>(high - low) / out_size;  // a float's difference, as in Pillow
    const double widening = std::max(scale, 1.0);
    const double support = (bilinear ? 1.0 : 2.0) * widening;
    stride_ = static_cast<int>(std::ceil(support)) * 2 + 1;
    first_.resize(static_cast<size_t>(count));
    taps_.resize(static_cast<size_t>(count));
    weights_.assign(static_cast<size_t>(count) * static_cast<size_t>(stride_), 0);
    real_.resize(static_cast<size_t>(stride_));
    for (int i = 0; i < count; ++i) {
      const double center = static_cast<double>(low) + (begin + i + 0.5) * scale;
      const int from = std::max(static_cast<int>(center - support + 0.5), 0);
      const int to = std::min(static_cast<int>(center + support + 0.5), in_size);
      double sum = 0;
      for (int x = from; x < to; ++x) {
        const double at = (x - center + 0.5) / widening;
        const double weight = bilinear ? triangle(at) : cubic(at);
        real_[static_cast<size_t>(x - from)] = weight;
        sum += weight;
      }
      store(i, from, to - from, sum);
    }
  }
  FilterTable table() const {
    return {first_.data(), taps_.data(), weights_.data(), stride_, static_cast<int>(first_.size())};
  }
  // Gives the input range that any output reads, and makes the table count from its begin.
  void move_to_origin(int& begin, int& end) {
    begin = first_.front();
    end = first_.back() + taps_.back();
    for (int32_t& first : first_) first -= begin;
  }

 private:
  void store(int i, int from, int taps, double sum) {
    constexpr double kOne = 1 << kWeightBits;
    int32_t* weights = weights_.data() + static_cast<ptrdiff_t>(i) * stride_;
    for (int t = 0; t < taps; ++t) {
      const double weight = sum != 0 ? real_[static_cast<size_t>(t)] / sum : real_[static_cast<size_t>(t)];
      weights[t] = static_cast<int32_t>(weight < 0 ? weight * kOne - 0.5 : weight * kOne + 0.5);
    }
    first_[static_cast<size_t>(i)] = from;
    taps_[static_cast<size_t>(i)] = taps;
  }

  int stride_ = 0;
  std::vector<int32_t> first_, taps_, weights_;
  std::vector<double> real_;
};

// Kept per thread: a loader resizes millions of pictures.
struct Scratch {
  Filter across, down;
  std::vector<uint8_t> tile, middle, spare;
};

// Four rows side by side, a pixel in four bytes, so that one vector holds a column of them.
void pack_tile(ImageView source, int row, std::vector<uint8_t>& tile) {
  tile.resize(static_cast<size_t>(source.width) * kTilePixel);
  for (int r = 0; r < kTileRows; ++r) {
    const uint8_t* from = source.row(std::min(row + r, source.height - 1));
    uint8_t* to = tile.data() + 4 * r;
    for (int x = 0; x + 1 < source.width; ++x, from += 3, to += kTilePixel) std::memcpy(to, from, 4);
    std::memcpy(to, from, 3);  // the fourth byte of the last pixel may lie outside the picture
  }
}

// The horizontal pass over all rows of `source`; `out` holds source.height rows of the filter's outputs.
void resample_across(ImageView source, Scratch& scratch, uint8_t* out) {
  const FilterTable table = scratch.across.table();
  const ptrdiff_t stride = ptrdiff_t{3} * table.count;
  scratch.spare.resize(static_cast<size_t>(stride));
  for (int row = 0; row < source.height; row += kTileRows) {
    pack_tile(source, row, scratch.tile);
    uint8_t* to[kTileRows];
    for (int r = 0; r < kTileRows; ++r)
      to[r] = row + r < source.height ? out + (row + r) * stride : scratch.spare.data();
    resample_tile(scratch.tile.data(), table, to);
  }
}

void resample_down(ImageView source, const Filter& filter, uint8_t* out) {
  const int64_t bytes = int64_t{3} * source.width;
  resample_rows(source.data, source.stride, filter.table(), out, bytes, bytes);
}

void check(ImageView source, const ResizeOptions& o, const ResizeBox& box, const ResizeWindow& window) {
  GHOST_CHECK(source.width >= 1 && source.height >= 1, "resize: the source is ", source.width, "x", source.height);
  GHOST_CHECK(o.width >= 1 && o.height >= 1, "resize: the result is ", o.width, "x", o.height, "; at least 1x1");
  GHOST_CHECK(box.left >= 0 && box.top >= 0 && box.right <= source.width && box.bottom <= source.height &&
                  box.left < box.right && box.top < box.bottom,
              "resize: the box ", box.left, ",", box.top, " to ", box.right, ",", box.bottom, " is not inside the ",
              source.width, "x", source.height, " source");
  GHOST_CHECK(window.left >= 0 && window.top >= 0 && window.width >= 1 && window.height >= 1 &&
                  window.left + window.width <= o.width && window.top + window.height <= o.height,
              "resize: the window at ", window.left, ",", window.top, " of ", window.width, "x", window.height,
              " is not inside the ", o.width, "x", o.height, " result");
}

}  // namespace

void resize(ImageView source, const ResizeOptions& o, Image& out) {
  thread_local Scratch scratch;
  const ResizeBox whole{0, 0, static_cast<float>(source.width), static_cast<float>(source.height)};
  const ResizeBox box = o.box.right > 0 ? o.box : whole;
  const ResizeWindow window = o.window.width > 0 ? o.window : ResizeWindow{0, 0, o.width, o.height};
  check(source, o, box, window);
  out.resize(window.width, window.height);

  // A pass that moves nothing would multiply by exactly one: it is left out. Otherwise only what its outputs read is
  // touched.
  const bool across = o.width != source.width || box.left != 0 || box.right != whole.right;
  const bool down = o.height != source.height || box.top != 0 || box.bottom != whole.bottom;
  int left = window.left, right = left + window.width, top = window.top, bottom = top + window.height;
  if (across) {
    scratch.across.build(source.width, box.left, box.right, o.width, window.left, window.width, o.interpolation);
    scratch.across.move_to_origin(left, right);
  }
  if (down) {
    scratch.down.build(source.height, box.top, box.bottom, o.height, window.top, window.height, o.interpolation);
    scratch.down.move_to_origin(top, bottom);
  }
  const ImageView used = source.crop(left, top, right - left, bottom - top);
  uint8_t* result = out.pixels.data();
  if (!across && !down) {
    for (int y = 0; y < used.height; ++y) std::memcpy(out.row(y), used.row(y), static_cast<size_t>(used.width) * 3);
  } else if (!down) {
    resample_across(used, scratch, result);
  } else if (!across) {
    resample_down(used, scratch.down, result);
  } else {
    // Pillow's choice of order; it shows, since the value between the passes is rounded and cut to 0..255.
    const int64_t lost_rows = source.height - o.height, lost_columns = source.width - o.width;
    const bool down_first = lost_rows > 0 && lost_rows > 2 * lost_columns;
    ImageView middle = used;
    (down_first ? middle.height : middle.width) = down_first ? window.height : window.width;
    middle.stride = ptrdiff_t{3} * middle.width;
    scratch.middle.resize(static_cast<size_t>(middle.stride * middle.height));
    middle.data = scratch.middle.data();
    if (down_first) {
      resample_down(used, scratch.down, scratch.middle.data());
      resample_across(middle, scratch, result);
    } else {
      resample_across(used, scratch, scratch.middle.data());
      resample_down(middle, scratch.down, result);
    }
  }
}

}  // namespace ghost
