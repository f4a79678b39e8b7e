#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/yolo_candidates.h"
#include "tests/simt/compare.h"

namespace ghost {
namespace {

using Candidates = std::vector<std::vector<YoloCandidate>>;

struct DecodeCase {
  std::string name;
  int64_t n, h, w, classes;
  bool multi_label;
  double threshold, low = -2, high = 2;
};

bool better(const YoloCandidate& a, const YoloCandidate& b) {
  return a.place != b.place ? a.place < b.place : a.label < b.label;
}

void expect_same(Candidates got, Candidates want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t image = 0; image < got.size(); ++image) {
    SCOPED_TRACE(image);
    ASSERT_EQ(got[image].size(), want[image].size());
    std::sort(got[image].begin(), got[image].end(), better);
    std::sort(want[image].begin(), want[image].end(), better);
    for (size_t i = 0; i < got[image].size(); ++i) {
      const YoloCandidate &a = got[image][i], &b = want[image][i];
      ASSERT_EQ(a.place, b.place);
      ASSERT_EQ(a.label, b.label);
      ASSERT_NEAR(a.score, b.score, 1e-6);
      ASSERT_NEAR(a.box.left, b.box.left, 1e-3);
      ASSERT_NEAR(a.box.top, b.box.top, 1e-3);
      ASSERT_NEAR(a.box.right, b.box.right, 1e-3);
      ASSERT_NEAR(a.box.bottom, b.box.bottom, 1e-3);
    }
  }
}

DecodeBoxesOptions options_of(const DecodeCase& c) {
  return {.anchors = {{5, 6}, {8, 15}, {16, 11}, {15, 30}, {31, 22}, {29, 60}, {58, 45}, {75, 90}, {150, 130}},
          .num_classes = c.classes,
          .score_threshold = c.threshold,
          .multi_label = c.multi_label};
}

void check(const DecodeCase& c) {
  SCOPED_TRACE(c.name);
  std::vector<simt::Surrounded> maps;
  std::vector<Tensor> views;
  for (int64_t scale = 1; scale <= 4; scale *= 2)
    maps.push_back(simt::random_map({c.n, c.h * scale, c.w * scale, 3 * (5 + c.classes)},
                                    {.seed = static_cast<uint64_t>(scale), .after = 2, .low = c.low, .high = c.high}));
  for (const simt::Surrounded& map : maps) views.push_back(map.view());
  const Candidates want = cpu::yolo_candidates(views, options_of(c));
  simt::for_each_order([&] { expect_same(simt::yolo_candidates(views, options_of(c)), want); });
}

TEST(YoloDecodeSimt, Candidates) {
  check({"every class", 2, 1, 2, 3, true, 0.3});
  check({"best class", 2, 2, 1, 3, false, 0.3});
  check({"more classes than lanes", 1, 1, 1, 70, true, 0.4});
  check({"best of many classes", 1, 1, 1, 70, false, 0.2});
  check({"one class", 1, 1, 1, 1, true, 0.25});
  check({"nothing", 2, 1, 1, 2, true, 0.9});
  check({"equal classes", 1, 1, 1, 40, false, 0.2, 0.5, 0.5});
}

// More than kYoloCandidates: those from the CPU's best must all be there.
TEST(YoloDecodeSimt, TheBestOfVeryMany) {
  const DecodeCase c{"many", 1, 1, 1, 600, true, 0};
  std::vector<Tensor> maps;
  for (int64_t scale = 1; scale <= 4; scale *= 2)
    maps.push_back(simt::random_map({1, scale, scale, 3 * 605}, {.seed = 3, .low = -2, .high = 2}).view().clone());
  Candidates want = cpu::yolo_candidates(maps, options_of(c)), got = simt::yolo_candidates(maps, options_of(c));
  ASSERT_EQ(want[0].size(), 37800u);
  EXPECT_LT(got[0].size(), want[0].size());
  ASSERT_GE(got[0].size(), static_cast<size_t>(kYoloCandidates));
  const auto by_score = [](const YoloCandidate& a, const YoloCandidate& b) { return a.score > b.score; };
  std::sort(want[0].begin(), want[0].end(), by_score);
  std::sort(got[0].begin(), got[0].end(), by_score);
  for (size_t i = 0; i < static_cast<size_t>(kYoloCandidates); ++i)
    ASSERT_NEAR(got[0][i].score, want[0][i].score, 1e-6) << i;
}

}  // namespace
}  // namespace ghost
