#include "data/anchors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/parallel.h"
#include "core/random.h"
#include "pictures.h"

namespace ghost {
namespace {

using testing::HasSubstr;

// Nine groups of sizes, far apart, each within 4 %.
std::vector<Anchor> groups(const std::vector<Anchor>& centres, int each) {
  Rng rng(3, 1);
  std::vector<Anchor> sizes;
  for (int i = 0; i < each; ++i)
    for (const Anchor& centre : centres)
      sizes.push_back({centre[0] * rng.uniform(0.96F, 1.04F), centre[1] * rng.uniform(0.96F, 1.04F)});
  return sizes;
}
const std::vector<Anchor> kCentres{{10, 12},  {14, 45},   {50, 16},   {40, 50},  {120, 40},
                                   {45, 130}, {100, 110}, {250, 120}, {300, 380}};

TEST(Anchors, FindsGroups) {
  const std::vector<Anchor> sizes = groups(kCentres, 301);
  AnchorOptions options;
  options.before = {{100, 100}};
  const AnchorResult result = cluster_anchors(sizes, options);
  ASSERT_EQ(result.anchors.size(), 9u);
  for (size_t k = 0; k < 9; ++k) {
    EXPECT_NEAR(result.anchors[k][0] / kCentres[k][0], 1, 0.01);
    EXPECT_NEAR(result.anchors[k][1] / kCentres[k][1], 1, 0.01);
    EXPECT_EQ(result.boxes[k], 301);
  }
  // Written out: of each box the best overlap.
  double before = 0, after = 0;
  for (const Anchor& s : sizes) {
    const auto overlap = [&](const Anchor& a) {
      const double shared = std::fmin(a[0], s[0]) * std::fmin(a[1], s[1]);
      return shared / (a[0] * a[1] + s[0] * s[1] - shared);
    };
    before += overlap({100, 100});
    double best = 0;
    for (const Anchor& a : result.anchors) best = std::fmax(best, overlap(a));
    after += best;
  }
  EXPECT_NEAR(result.before, before / 2709, 1e-12);
  EXPECT_NEAR(result.after, after / 2709, 1e-12);
  EXPECT_GT(result.after, 0.95);
}

TEST(Anchors, SameForSameSeedAndAnyThreads) {
  Rng rng(9, 9);
  std::vector<Anchor> sizes;
  for (int i = 0; i < 4201; ++i) sizes.push_back({rng.uniform(2, 400), rng.uniform(2, 400)});
  AnchorOptions options;
  options.seed = 5;
  options.attempts = 2;
  const int threads = compute_threads();
  set_compute_threads(1);
  const AnchorResult one = cluster_anchors(sizes, options);
  set_compute_threads(4);
  const AnchorResult four = cluster_anchors(sizes, options);
  set_compute_threads(threads);
  EXPECT_EQ(one.anchors, four.anchors);
  EXPECT_EQ(one.after, four.after);
  options.attempts = 1;
  EXPECT_LE(cluster_anchors(sizes, options).after, one.after);
}

TEST(Anchors, SizesInTheInput) {
  DetectionSet set;
  set.samples.resize(1);
  set.samples[0].width = 832;
  set.samples[0].height = 208;
  set.samples[0].boxes = {
      {{0, 0, 80, 20}, 0, false, false, 0}, {{0, 0, 8, 2}, 0, true, false, 0}, {{0, 0, 8, 2}, 0, false, true, 0}};
  AnchorOptions options;
  EXPECT_EQ(box_sizes_in_input(set, options), (std::vector<Anchor>{{40, 10}}));
  options.keep_ratio = false;
  EXPECT_EQ(box_sizes_in_input(set, options), (std::vector<Anchor>{{40, 40}}));
  options.count = 1;
  EXPECT_EQ(cluster_anchors(set, options).after, 1);
  options.count = 2;
  EXPECT_THAT(error_message(ErrorKind::kData, [&] { cluster_anchors(set, options); }), HasSubstr("1 different sizes"));
  EXPECT_EQ(mean_best_iou({}, {{1, 1}}), 0);
}

}  // namespace
}  // namespace ghost
