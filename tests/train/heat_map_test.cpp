#include "train/heat_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace ghost {
namespace {

constexpr int64_t kClasses = 2, kChannels = 3 * (5 + kClasses);

// Maps for an input of `cells` * 32 pixels a side: objectness -20 (that is 0) everywhere, class logits high.
std::vector<Tensor> quiet_maps(int64_t height, int64_t width) {
  std::vector<Tensor> maps;
  for (const int64_t scale : {1, 2, 4}) {
    maps.push_back(Tensor::full({1, height * scale, width * scale, kChannels}, 9));
    float* values = maps.back().data<float>();
    for (int64_t i = 4; i < maps.back().numel(); i += 5 + kClasses) values[i] = -20;
  }
  return maps;
}

void set(const Tensor& map, int64_t y, int64_t x, int64_t anchor, float logit) {
  map.data<float>()[(y * map.dim(2) + x) * kChannels + anchor * (5 + kClasses) + 4] = logit;
}

TEST(HeatMap, IsQuietWhereNothingIs) {
  const std::vector<float> values = objectness(quiet_maps(2, 2), kClasses, 64, 64, {});
  EXPECT_LT(*std::max_element(values.begin(), values.end()), 1e-6);
}

TEST(HeatMap, TakesTheBestAnchorAndMap) {
  auto maps = quiet_maps(2, 3);  // input 96 x 64
  set(maps[2], 2, 5, 1, 0);
  set(maps[2], 2, 5, 2, -3);
  set(maps[0], 1, 2, 0, 2);
  const std::vector<float> values = objectness(maps, kClasses, 96, 64, {});
  // The centre of cell (2, 5) of stride 8 lies between pixels 19 and 20, 43 and 44: a weight of (1 - 1/16)^2.
  EXPECT_NEAR(values[19 * 96 + 43], 0.5 * std::pow(15.0 / 16, 2), 1e-5);
  EXPECT_NEAR(values[20 * 96 + 44], 0.5 * std::pow(15.0 / 16, 2), 1e-5);
  // Stride 32: beyond the last centre its value stays.
  EXPECT_NEAR(values[63 * 96 + 95], 1 / (1 + std::exp(-2.0)), 1e-5);
  EXPECT_LT(values[0], 1e-6);
}

// A slow writing of the same: every pixel through the letterbox, every neighbour weighed by its distance.
TEST(HeatMap, EqualsTheSlowWriting) {
  auto maps = quiet_maps(3, 3);
  for (size_t m = 0; m < maps.size(); ++m)
    for (int64_t y = 0; y < maps[m].dim(1); ++y)
      for (int64_t x = 0; x < maps[m].dim(2); ++x)
        for (int64_t a = 0; a < 3; ++a)
          set(maps[m], y, x, a, static_cast<float>(std::sin(3.0 * static_cast<double>(m + 1) * (y * 5 + x * 7 + a))));
  const Letterbox place{.scale_x = 0.7, .scale_y = 0.7, .left = 3, .top = 13};
  const int width = 129, height = 97;
  const std::vector<float> got = objectness(maps, kClasses, width, height, place);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      double best = 0;
      for (size_t m = 0; m < maps.size(); ++m) {
        const double stride = 32 >> m, side = static_cast<double>(maps[m].dim(1));
        const double cx = std::clamp(((x + 0.5) * 0.7 + 3) / stride - 0.5, 0.0, side - 1);
        const double cy = std::clamp(((y + 0.5) * 0.7 + 13) / stride - 0.5, 0.0, side - 1);
        double sum = 0;
        for (int64_t j = 0; j < maps[m].dim(1); ++j)
          for (int64_t i = 0; i < maps[m].dim(2); ++i) {
            const double weight = std::max(0.0, 1 - std::abs(cx - static_cast<double>(i))) *
                                  std::max(0.0, 1 - std::abs(cy - static_cast<double>(j)));
            double cell = 0;
            for (int64_t a = 0; weight > 0 && a < 3; ++a) {
              const double logit = maps[m].data<float>()[(j * maps[m].dim(2) + i) * kChannels + a * 7 + 4];
              cell = std::max(cell, 1 / (1 + std::exp(-logit)));
            }
            sum += weight * cell;
          }
        best = std::max(best, sum);
      }
      ASSERT_NEAR(got[static_cast<size_t>(y * width + x)], best, 1e-5) << y << ' ' << x;
    }
  }
}

TEST(HeatMap, LightnessRisesEvenly) {
  const auto lightness = [](double value) {  // CIE L* of sRGB
    const HeatColor color = heat_color(value);
    const auto linear = [](double c) {
      return c / 255 <= 0.04045 ? c / 255 / 12.92 : std::pow((c / 255 + 0.055) / 1.055, 2.4);
    };
    const double y = 0.2126 * linear(color.red) + 0.7152 * linear(color.green) + 0.0722 * linear(color.blue);
    return y > 216.0 / 24389 ? 116 * std::cbrt(y) - 16 : y * 24389 / 27;
  };
  for (int i = 0; i < 100; ++i) EXPECT_GT(lightness((i + 1) / 100.0), lightness(i / 100.0)) << i;
  for (int i = 0; i < 8; ++i) {
    const double step = lightness((i + 1) / 8.0) - lightness(i / 8.0);
    EXPECT_GT(step, 11) << i;
    EXPECT_LT(step, 13) << i;
  }
  EXPECT_EQ(heat_color(-1).red, heat_color(0).red);
  EXPECT_EQ(heat_color(2).red, heat_color(1).red);
  EXPECT_EQ(heat_color(std::nan("")).red, heat_color(0).red);
}

TEST(HeatMap, BlendsWithThePicture) {
  Image picture(50, 30);
  for (size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = static_cast<uint8_t>(i % 251);
  auto maps = quiet_maps(1, 2);
  EXPECT_EQ(heat_map(picture, maps, kClasses, {}, 0), picture);
  const Image full = heat_map(picture, maps, kClasses, {}, 1);
  EXPECT_EQ(full.at(9, 9)[0], std::lround(heat_color(0).red));
  const Image half = heat_map(picture, maps, kClasses, {}, 0.5);
  EXPECT_EQ(half.at(9, 9)[2], std::lround((picture.at(9, 9)[2] + heat_color(0).blue) / 2));
}

TEST(HeatMap, RefusesOtherMaps) {
  const Image picture(8, 8);
  const auto maps = quiet_maps(1, 1);
  EXPECT_THROW(heat_map(picture, {}, kClasses, {}), Error);
  EXPECT_THROW(heat_map(picture, maps, 3, {}), Error);
  EXPECT_THROW(heat_map(picture, {maps[0], maps[0]}, kClasses, {}), Error);
  EXPECT_THROW(heat_map(picture, {Tensor::zeros({2, 1, 1, kChannels})}, kClasses, {}), Error);
  EXPECT_THROW(heat_map(picture, maps, kClasses, {}, 1.5), Error);
}

}  // namespace
}  // namespace ghost
