#include <gtest/gtest.h>

#include "kernels/yolo_candidates.h"
#include "tests/simt/compare.h"
#include "tests/simt/expect_found.h"

namespace ghost {
namespace {

using simt::Found;

struct DecodeCase {
  std::string name;
  int64_t n, h, w, classes;
  bool multi_label;
  double threshold, low = -2, high = 2;
  double iou = 1;  // all candidates stay
  int64_t most = 40000;
};

DecodeBoxesOptions options_of(const DecodeCase& c) {
  return {.anchors = {{5, 6}, {8, 15}, {16, 11}, {15, 30}, {31, 22}, {29, 60}, {58, 45}, {75, 90}, {150, 130}},
          .num_classes = c.classes,
          .score_threshold = c.threshold,
          .iou_threshold = c.iou,
          .max_detections = c.most,
          .multi_label = c.multi_label};
}

// The kernels decode with the CPU's float32 arithmetic, and here with its exponential function: every bit is the same.
void check_decode(const DecodeCase& c) {
  SCOPED_TRACE(c.name);
  std::vector<simt::Surrounded> maps;
  std::vector<Tensor> views;
  for (int64_t scale = 1; scale <= 4; scale *= 2)
    maps.push_back(simt::random_map({c.n, c.h * scale, c.w * scale, 3 * (5 + c.classes)},
                                    {.seed = static_cast<uint64_t>(scale), .after = 2, .low = c.low, .high = c.high}));
  for (const simt::Surrounded& map : maps) views.push_back(map.view());
  const Found want = cpu::yolo_detect(views, options_of(c));
  simt::for_each_order([&] { simt::expect_same(simt::yolo_detect(views, options_of(c)), want); });
}

TEST(YoloDecodeSimt, Candidates) {
  check_decode({"every class", 2, 1, 2, 3, true, 0.3});
  check_decode({"best class", 2, 2, 1, 3, false, 0.3});
  check_decode({"more classes than lanes", 1, 1, 1, 70, true, 0.4});
  check_decode({"best of many classes", 1, 1, 1, 70, false, 0.2});
  check_decode({"one class", 1, 1, 1, 1, true, 0.25});
  check_decode({"nothing", 2, 1, 1, 2, true, 0.9});
  check_decode({"equal classes", 1, 1, 1, 40, false, 0.2, 0.5, 0.5});
}

TEST(YoloDecodeSimt, Detections) {
  check_decode({"every class", 3, 1, 2, 3, true, 0.1, -3, 3, 0.4, 50});
  check_decode({"best class", 2, 2, 3, 5, false, 0.05, -3, 3, 0.2, 100});
  check_decode({"equal everywhere", 2, 1, 1, 4, true, 0.2, 0.5, 0.5, 0.5, 100});
}

// More than kYoloCandidates: the CPU's best must all be there.
TEST(YoloDecodeSimt, TheBestOfVeryMany) {
  const DecodeCase c{"many", 1, 1, 1, 600, true, 0, -2, 2, 0.1};
  std::vector<Tensor> maps;
  for (int64_t scale = 1; scale <= 4; scale *= 2)
    maps.push_back(simt::random_map({1, scale, scale, 3 * 605}, {.seed = 3, .low = -2, .high = 2}).view().clone());
  ASSERT_EQ(cpu::yolo_candidates(maps, options_of(c))[0].size(), 37800u);
  const simt::YoloCandidates candidates = simt::yolo_candidates(maps, options_of(c));
  EXPECT_LT(candidates.largest, 37800);
  ASSERT_GE(candidates.largest, kYoloCandidates);
  simt::expect_same(simt::suppress_boxes(candidates, options_of(c)), cpu::yolo_detect(maps, options_of(c)));
}

}  // namespace
}  // namespace ghost
