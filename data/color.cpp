#include "data/color.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"

namespace ghost {
namespace {

using Table = std::array<uint8_t, 256>;
using Histogram = std::array<int64_t, 256>;

// ITU-R 601 luma in Pillow's 16-bit fixed point.
uint8_t luma(const uint8_t* p) {
  return static_cast<uint8_t>((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16);
}

// Pillow's blend: from `base` (factor 0) through `value` (factor 1) and beyond; cut, not rounded.
uint8_t blend(int base, int value, float factor) {
  const float mixed = static_cast<float>(base) + factor * static_cast<float>(value - base);
  return static_cast<uint8_t>(std::clamp(mixed, 0.0f, 255.0f));
}

void map(Image& image, const Table& table) {
  for (uint8_t& value : image.pixels) value = table[value];
}

void map_channel(Image& image, size_t channel, const Table& table) {
  for (size_t i = channel; i < image.pixels.size(); i += 3) image.pixels[i] = table[image.pixels[i]];
}

Histogram channel_histogram(const Image& image, size_t channel) {
  Histogram histogram{};
  for (size_t i = channel; i < image.pixels.size(); i += 3) ++histogram[image.pixels[i]];
  return histogram;
}

template <class Function>
Table make_table(const Function& function) {
  Table table;
  for (int i = 0; i < 256; ++i) table[static_cast<size_t>(i)] = function(i);
  return table;
}

}  // namespace

void adjust_brightness(Image& image, float factor) {
  map(image, make_table([&](int value) { return blend(0, value, factor); }));
}

void adjust_contrast(Image& image, float factor) {
  int64_t sum = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3) sum += luma(&image.pixels[i]);
  const double pixels = static_cast<double>(image.pixels.size() / 3);
  const int mean = static_cast<int>(static_cast<double>(sum) / pixels + 0.5);
  map(image, make_table([&](int value) { return blend(mean, value, factor); }));
}

void adjust_saturation(Image& image, float factor) {
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    uint8_t* p = &image.pixels[i];
    const int grey = luma(p);
    for (int c = 0; c < 3; ++c) p[c] = blend(grey, p[c], factor);
  }
}

void adjust_sharpness(Image& image, float factor) {
  if (image.width < 3 || image.height < 3) return;  // only border pixels, which the filter keeps
  const Image source = image;
  const ptrdiff_t row = ptrdiff_t{3} * image.width;
  for (int y = 1; y + 1 < image.height; ++y) {
    const uint8_t* from = source.row(y);
    uint8_t* to = image.row(y);
    for (ptrdiff_t i = 3; i < row - 3; ++i) {
      const uint8_t* p = from + i;
      const int around = p[-row - 3] + p[-row] + p[-row + 3] + p[-3] + p[3] + p[row - 3] + p[row] + p[row + 3];
      const int smooth = static_cast<int>(static_cast<float>(around + 5 * p[0]) / 13.0f + 0.5f);
      to[i] = blend(smooth, p[0], factor);
    }
  }
}

namespace {

struct Hsv {
  int h, s, v;
};

// Pillow's rgb2hsv, 8 bits each.
Hsv to_hsv(const uint8_t* p) {
  const int high = std::max({p[0], p[1], p[2]}), low = std::min({p[0], p[1], p[2]});
  if (high == low) return {0, 0, high};
  const float range = static_cast<float>(high - low);
  const float r = static_cast<float>(high - p[0]) / range, g = static_cast<float>(high - p[1]) / range,
              b = static_cast<float>(high - p[2]) / range;
  // float between the steps and double inside them, as there: the last bit decides which level an edge falls on.
  const float sixths = p[0] == high ? b - g : static_cast<float>(p[1] == high ? 2.0 + r - b : 4.0 + g - r);
  const float hue = static_cast<float>(std::fmod(sixths / 6.0 + 1.0, 1.0));
  const float saturation = range / static_cast<float>(high);
  return {static_cast<int>(hue * 255.0), static_cast<int>(saturation * 255.0), high};
}

void from_hsv(const Hsv& hsv, uint8_t* p) {
  const double position = hsv.h * 6.0 / 255.0;
  const int sector = static_cast<int>(position);
  const float part = static_cast<float>(position - sector), saturation = static_cast<float>(hsv.s / 255.0);
  const auto level = [&](double drop) { return static_cast<uint8_t>(std::lround(hsv.v * (1.0 - saturation * drop))); };
  const uint8_t v = static_cast<uint8_t>(hsv.v), low = level(1.0), falling = level(part), rising = level(1.0 - part);
  const uint8_t sectors[6][3] = {{v, rising, low},  {falling, v, low}, {low, v, rising},
                                 {low, falling, v}, {rising, low, v},  {v, low, falling}};
  std::copy_n(sectors[sector % 6], 3, p);
}

}  // namespace

void adjust_hue(Image& image, float turn) {
  GHOST_CHECK(turn >= -0.5f && turn <= 0.5f, "adjust_hue: the turn is ", turn, "; it lies in -0.5 to 0.5");
  const int shift = static_cast<int>(turn * 255.0f);
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    Hsv hsv = to_hsv(&image.pixels[i]);
    hsv.h = (hsv.h + shift) & 255;
    from_hsv(hsv, &image.pixels[i]);
  }
}

void posterize(Image& image, int bits) {
  GHOST_CHECK(bits >= 1 && bits <= 8, "posterize: ", bits, " bits; 1 to 8 can be kept");
  const uint8_t mask = static_cast<uint8_t>(0xFF << (8 - bits));
  for (uint8_t& value : image.pixels) value &= mask;
}

void solarize(Image& image, float threshold) {
  map(image, make_table([&](int value) {
        return static_cast<uint8_t>(static_cast<float>(value) < threshold ? value : 255 - value);
      }));
}

void auto_contrast(Image& image) {
  for (size_t channel = 0; channel < 3; ++channel) {
    const Histogram histogram = channel_histogram(image, channel);
    int low = 0, high = 255;
    while (low < 255 && histogram[static_cast<size_t>(low)] == 0) ++low;
    while (high > 0 && histogram[static_cast<size_t>(high)] == 0) --high;
    if (high <= low) continue;
    const double scale = 255.0 / (high - low), offset = -low * scale;
    map_channel(image, channel, make_table([&](int value) {
                  return static_cast<uint8_t>(std::clamp(static_cast<int>(value * scale + offset), 0, 255));
                }));
  }
}

void equalize(Image& image) {
  for (size_t channel = 0; channel < 3; ++channel) {
    const Histogram histogram = channel_histogram(image, channel);
    int64_t total = 0, last = 0, levels = 0;
    for (const int64_t count : histogram) {
      total += count;
      if (count > 0) last = count;
      levels += count > 0;
    }
    const int64_t step = (total - last) / 255;
    if (levels <= 1 || step == 0) continue;
    int64_t sum = step / 2;
    map_channel(image, channel, make_table([&](int value) {
                  const int64_t level = std::min<int64_t>(sum / step, 255);
                  sum += histogram[static_cast<size_t>(value)];
                  return static_cast<uint8_t>(level);
                }));
  }
}

}  // namespace ghost
