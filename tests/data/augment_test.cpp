#include "data/augment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "data/mix.h"
#include "pictures.h"

namespace ghost {
namespace {

TEST(Augment, RandomCropStaysInsideAndInRange) {
  const AugmentOptions options{.random_resized_crop = {0.2f, 0.7f}};
  double area = 0;
  std::set<int> lefts;
  for (int i = 0; i < 2000; ++i) {
    Rng rng(3, static_cast<uint64_t>(i));
    const CropRect rect = random_crop(160, 120, options, rng);
    ASSERT_TRUE(rect.left >= 0 && rect.top >= 0 && rect.left + rect.width <= 160 && rect.top + rect.height <= 120);
    const double share = rect.width * rect.height / (160.0 * 120.0),
                 ratio = static_cast<double>(rect.width) / rect.height;
    ASSERT_TRUE(share > 0.19 && share < 0.71) << share;
    ASSERT_TRUE(ratio > 0.72 && ratio < 1.37) << ratio;
    area += share / 2000;
    lefts.insert(rect.left);
  }
  EXPECT_NEAR(area, 0.45, 0.02);
  EXPECT_GT(lefts.size(), 40u);
}

TEST(Augment, RandomCropFallsBackToTheCentre) {
  // 1000x10 has no crop of 90 % of the area with a ratio below 4:3.
  Rng rng(1, 1);
  const CropRect rect = random_crop(1000, 10, {.random_resized_crop = {0.9f, 1.0f}}, rng);
  EXPECT_EQ(rect.height, 10);
  EXPECT_EQ(rect.width, 13);
  EXPECT_EQ(rect.left, 493);
}

TEST(Augment, SameGeneratorSamePicture) {
  const AugmentOptions options{
      .vertical_flip = 0.5f, .color_jitter = 0.4f, .hue = 0.1f, .rand_augment_ops = 3, .random_erasing = 0.5f};
  const Preprocess preprocess{.size = 32};
  const Image picture = formula_picture(50, 40);
  Image scratch;
  std::vector<float> first(32 * 32 * 3), second(first.size()), other(first.size());
  int different = 0;
  for (uint64_t i = 0; i < 50; ++i) {
    Rng a(5, i), b(5, i), c(6, i);
    augment(picture, preprocess, options, a, scratch, first.data());
    augment(picture, preprocess, options, b, scratch, second.data());
    augment(picture, preprocess, options, c, scratch, other.data());
    ASSERT_EQ(first, second);
    different += first != other;
    for (const float value : first) ASSERT_TRUE(std::isfinite(value));
  }
  EXPECT_EQ(different, 50);
}

TEST(Augment, ProbabilitiesAreKept) {
  const AugmentOptions none{.random_resized_crop = {1, 1}, .ratio = {1, 1}, .flip = 0};
  AugmentOptions flip = none, erase = none;
  flip.flip = 0.3f;
  erase.random_erasing = 0.3f;
  const Preprocess preprocess{.size = 24, .crop_pct = 1.0f};
  const Image picture = formula_picture(24, 24);
  Image scratch;
  std::vector<float> plain(24 * 24 * 3), out(plain.size());
  normalize(picture, preprocess, plain.data());
  int flipped = 0, erased = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    Rng a(1, i), b(2, i), c(3, i);
    augment(picture, preprocess, none, a, scratch, out.data());
    ASSERT_EQ(out, plain);
    augment(picture, preprocess, flip, b, scratch, out.data());
    flipped += out != plain;
    augment(picture, preprocess, erase, c, scratch, out.data());
    erased += out != plain;
  }
  EXPECT_NEAR(flipped, 300, 50);
  EXPECT_NEAR(erased, 300, 50);
}

TEST(Augment, ErasingBlanksOneRectangle) {
  std::vector<float> picture(40 * 30 * 3, 1.0f);
  Rng rng(4, 4);
  random_erase(picture.data(), 40, 30, rng);
  int left = 40, right = 0, top = 30, bottom = 0, blank = 0;
  for (int y = 0; y < 30; ++y)
    for (int x = 0; x < 40; ++x) {
      if (picture[static_cast<size_t>(y * 40 + x) * 3] != 0) continue;
      left = std::min(left, x), right = std::max(right, x + 1), top = std::min(top, y),
      bottom = std::max(bottom, y + 1);
      ++blank;
    }
  EXPECT_GT(blank, 40 * 30 * 0.015);
  EXPECT_LT(blank, 40 * 30 * 0.35);
  EXPECT_EQ(blank, (right - left) * (bottom - top));
}

TEST(Augment, StrengthZeroChangesNothing) {
  const Image picture = formula_picture(20, 20);
  for (uint64_t i = 0; i < 20; ++i) {
    Rng rng(1, i);
    Image image = picture;
    color_jitter(image, 0, 0, rng);
    EXPECT_EQ(image, picture);
  }
}

TEST(Augment, RandAugmentUsesManyOperations) {
  const Image picture = formula_picture(32, 32);
  std::set<std::vector<uint8_t>> results;
  for (uint64_t i = 0; i < 200; ++i) {
    Rng rng(9, i);
    Image image = picture;
    rand_augment(image, 1, 9, rng);
    results.insert(image.pixels);
  }
  // 14 operations, 9 of them with a direction; some change nothing on a full-range picture.
  EXPECT_GE(results.size(), 18u);
  EXPECT_LE(results.size(), 23u);
}

TEST(Augment, OptionsOutOfRangeAreRefused) {
  for (const AugmentOptions& options :
       {AugmentOptions{.random_resized_crop = {0, 1}}, AugmentOptions{.random_resized_crop = {0.8f, 0.5f}},
        AugmentOptions{.ratio = {2, 1}}, AugmentOptions{.flip = 1.5f}, AugmentOptions{.hue = 0.6f},
        AugmentOptions{.rand_augment_magnitude = 31}, AugmentOptions{.mixup = -1}})
    error_message(ErrorKind::kUsage, [&] { check_augment(options); });
  EXPECT_NO_THROW(check_augment({}));
}

TEST(Mix, BetaHasItsMeanAndVariance) {
  for (const double alpha : {0.2, 1.0, 4.0}) {
    Rng rng(11, 2);
    double sum = 0, squares = 0;
    constexpr int kDraws = 20000;
    for (int i = 0; i < kDraws; ++i) {
      const double value = sample_beta(alpha, rng);
      ASSERT_TRUE(value >= 0 && value <= 1);
      sum += value;
      squares += value * value;
    }
    const double mean = sum / kDraws;
    EXPECT_NEAR(mean, 0.5, 0.015);
    EXPECT_NEAR(squares / kDraws - mean * mean, 0.25 / (2 * alpha + 1), 0.01)
        << alpha;  // a b / ((a + b)^2 (a + b + 1))
  }
}

TEST(Mix, MixupCombinesWithThePartner) {
  std::vector<float> images(3 * 2 * 2 * 3);
  for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i);
  const std::vector<float> before = images;
  mixup(images.data(), 3, 2, 2, 0.75f);
  for (size_t k = 0; k < 12; ++k) {
    EXPECT_FLOAT_EQ(images[k], 0.75f * before[k] + 0.25f * before[24 + k]);
    EXPECT_FLOAT_EQ(images[24 + k], 0.75f * before[24 + k] + 0.25f * before[k]);
    EXPECT_EQ(images[12 + k], before[12 + k]);  // the middle one is its own partner
  }
}

TEST(Mix, CutmixWeightIsTheTrueShare) {
  for (uint64_t i = 0; i < 100; ++i) {
    std::vector<float> images(2 * 16 * 16 * 3, 1.0f);
    std::fill(images.begin() + 16 * 16 * 3, images.end(), 2.0f);
    Rng rng(1, i);
    const float mix = cutmix(images.data(), 2, 16, 16, rng.uniform(), rng);
    const auto own = std::count(images.begin(), images.begin() + 16 * 16 * 3, 1.0f) / 3;
    EXPECT_NEAR(mix, static_cast<double>(own) / 256, 1e-6);
  }
}

}  // namespace
}  // namespace ghost
