// Average precision against pycocotools and a numpy writing of VOC's rule (golden/coco/make_coco_golden.py), operating
// points and confusion against small cases worked out by hand.
#include "train/detection_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "detection_case.h"

namespace ghost {
namespace {

using nlohmann::json;

const json& golden() {
  static const json data = [] {
    std::ifstream file(GHOST_GOLDEN_DIR "/coco/coco_golden.json");
    return json::parse(file);
  }();
  return data;
}

void expect_all_near(const std::vector<double>& got, const json& wanted, const std::string& what) {
  ASSERT_EQ(got.size(), wanted.size()) << what;
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i].get<double>(), 1e-6) << what << ' ' << i;
}

double checksum(const DetectionCase& made) {
  double sum = 0, place = 0;
  const auto add = [&](const Box& box) { sum += (box.left + box.top + box.width() + box.height()) * ++place; };
  for (const TruthBox& truth : made.truth) add(truth.box);
  for (const DetectedBox& found : made.detections) add(found.box);
  return sum;
}

std::vector<double> summary(const CocoMetrics& m) {
  return {m.ap,  m.ap50, m.ap75,  m.ap_small, m.ap_medium, m.ap_large,
          m.ar1, m.ar10, m.ar100, m.ar_small, m.ar_medium, m.ar_large};
}

TEST(DetectionMetrics, EqualPycocotools) {
  ASSERT_GE(golden().size(), 200u);
  for (size_t i = 0; i < golden().size(); ++i) {
    const DetectionCase made = make_detection_case(static_cast<int64_t>(i));
    const json& wanted = golden()[i];
    const std::string what = "case " + std::to_string(i);
    ASSERT_EQ(made.truth.size(), wanted[0][0].get<size_t>()) << what;
    ASSERT_EQ(made.detections.size(), wanted[0][1].get<size_t>()) << what;
    ASSERT_NEAR(checksum(made), wanted[0][2].get<double>(), 1e-6 * (1 + checksum(made))) << what;
    const CocoMetrics got = coco_metrics(made.truth, made.detections, made.classes, made.images);
    expect_all_near(summary(got), wanted[1], what + " summary");
    expect_all_near(got.class_ap, wanted[2], what + " AP of class");
    expect_all_near(got.class_ap50, wanted[3], what + " AP50 of class");
  }
}

TEST(DetectionMetrics, EqualTheVocDevkit) {
  for (size_t i = 0; i < golden().size(); ++i) {
    DetectionCase made = make_detection_case(static_cast<int64_t>(i));
    for (TruthBox& truth : made.truth) std::swap(truth.crowd, truth.difficult);
    const auto ap = [&](VocRule rule) {
      return voc_average_precision(made.truth, made.detections, made.classes, 0.5, rule);
    };
    expect_all_near(ap(VocRule::kAllPoints), golden()[i][4], "all points, case " + std::to_string(i));
    expect_all_near(ap(VocRule::k11Points), golden()[i][5], "11 points, case " + std::to_string(i));
  }
}

// The golden cases hold what makes evaluators differ.
TEST(DetectionMetrics, GoldenCasesCoverTheOddOnes) {
  size_t crowds = 0, over_100 = 0, equal = 0, no_truth = 0, empty_images = 0;
  for (size_t i = 0; i < golden().size(); ++i) {
    const DetectionCase made = make_detection_case(static_cast<int64_t>(i));
    std::vector<int64_t> per_place(static_cast<size_t>(made.images * made.classes)), truths(per_place.size());
    for (const TruthBox& truth : made.truth) {
      crowds += truth.crowd;
      ++truths[static_cast<size_t>(truth.image * made.classes + truth.label)];
    }
    for (const DetectedBox& found : made.detections) {
      ++per_place[static_cast<size_t>(found.image * made.classes + found.label)];
      equal += found.score == made.detections[0].score;
    }
    over_100 += std::count_if(per_place.begin(), per_place.end(), [](int64_t n) { return n > 100; });
    for (int64_t image = 0; image < made.images; ++image) {
      int64_t boxes = 0;
      for (int64_t k = 0; k < made.classes; ++k)
        boxes += per_place[static_cast<size_t>(image * made.classes + k)] +
                 truths[static_cast<size_t>(image * made.classes + k)];
      empty_images += boxes == 0;
    }
    for (const json& value : golden()[i][2]) no_truth += value.get<double>() == -1;
  }
  EXPECT_GT(crowds, 100u);
  EXPECT_GT(over_100, 10u);
  EXPECT_GT(equal, 1000u);
  EXPECT_GT(no_truth, 30u);
  EXPECT_GT(empty_images, 10u);
}

Box square(double left, double side = 10) { return {left, 0, left + side, side}; }
TruthBox true_box(int64_t label, double left, int64_t image = 0) {
  return {.image = image, .label = label, .box = square(left), .area = 100};
}
DetectedBox found_box(int64_t label, double left, double score, int64_t image = 0) {
  return {.image = image, .label = label, .box = square(left), .score = score};
}

TEST(DetectionMetrics, NothingToMeasureIsMinusOne) {
  for (const double value : summary(coco_metrics({}, {}, 2, 3))) EXPECT_EQ(value, -1);
  EXPECT_EQ(coco_metrics({}, {found_box(1, 0, 0.5)}, 2, 1).class_ap, (std::vector<double>{-1, -1}));
  EXPECT_EQ(coco_metrics({}, {}, 0, 0).ap, -1);
  EXPECT_EQ(coco_metrics({true_box(0, 0)}, {}, 1, 1).ap, 0);
  EXPECT_EQ(voc_average_precision({}, {found_box(0, 0, 1)}, 1, 0.5, VocRule::kAllPoints), std::vector<double>{-1});
  EXPECT_EQ(voc_average_precision({true_box(0, 0)}, {}, 1, 0.5, VocRule::k11Points), std::vector<double>{0});
}

TEST(DetectionMetrics, PerfectIsOne) {
  const std::vector<TruthBox> truth{true_box(0, 0), true_box(1, 50), true_box(0, 0, 1)};
  const std::vector<DetectedBox> found{found_box(0, 0, 0.9), found_box(1, 50, 0.8), found_box(0, 0, 0.1, 1)};
  const CocoMetrics got = coco_metrics(truth, found, 2, 2);
  EXPECT_NEAR(got.ap, 1, 1e-12);
  EXPECT_NEAR(got.ar1, 1, 1e-12);
  EXPECT_EQ(got.ap_large, -1);
  EXPECT_NEAR(voc_average_precision(truth, found, 2, 0.5, VocRule::k11Points)[0], 1, 1e-12);
}

TEST(DetectionMetrics, DifficultBoxesCountNeitherWay) {
  std::vector<TruthBox> truth{true_box(0, 0), true_box(0, 50)};
  truth[1].difficult = true;
  const std::vector<DetectedBox> found{found_box(0, 50, 0.9), found_box(0, 0, 0.8)};
  EXPECT_NEAR(coco_metrics(truth, found, 1, 1).ap, 1, 1e-12);
  EXPECT_NEAR(voc_average_precision(truth, found, 1, 0.5, VocRule::kAllPoints)[0], 1, 1e-12);
  EXPECT_EQ(detection_confusion(truth, found, 1, 0.5), (std::vector<int64_t>{1, 0, 0, 0}));
  // Not a crowd: a second detection on it is a false alarm for COCO. VOC forgives any number.
  const std::vector<DetectedBox> twice{found_box(0, 50, 0.95), found_box(0, 50, 0.9), found_box(0, 0, 0.8)};
  EXPECT_NEAR(coco_metrics(truth, twice, 1, 1).ap, 0.5, 1e-12);
  EXPECT_NEAR(voc_average_precision(truth, twice, 1, 0.5, VocRule::kAllPoints)[0], 1, 1e-12);
}

TEST(DetectionMetrics, VocTakesTheBestTruthEvenWhereItIsTaken) {
  // Both detections overlap the first box most; COCO gives the second detection the second box.
  const std::vector<TruthBox> truth{true_box(0, 0), true_box(0, 3)};
  const std::vector<DetectedBox> found{found_box(0, 0, 0.9), found_box(0, 1, 0.8)};
  EXPECT_NEAR(voc_average_precision(truth, found, 1, 0.5, VocRule::kAllPoints)[0], 0.5, 1e-12);
  EXPECT_NEAR(coco_metrics(truth, found, 1, 1).ap50, 1, 1e-12);
}

TEST(DetectionMetrics, ACrowdTakesOnlyWhatNothingElseHas) {
  std::vector<TruthBox> truth{{.image = 0, .label = 0, .box = {0, 0, 100, 100}, .area = 1e4, .crowd = true},
                              true_box(0, 0)};
  const std::vector<DetectedBox> found{found_box(0, 1, 0.9), found_box(0, 40, 0.8), found_box(0, 60, 0.7)};
  EXPECT_NEAR(voc_average_precision(truth, found, 1, 0.5, VocRule::kAllPoints)[0], 1, 1e-12);
  EXPECT_NEAR(coco_metrics(truth, found, 1, 1).ap50, 1, 1e-12);
  EXPECT_EQ(detection_confusion(truth, found, 1, 0), (std::vector<int64_t>{1, 0, 0, 0}));
}

TEST(DetectionMetrics, PrecisionAndRecallOverTheScore) {
  const std::vector<TruthBox> truth{true_box(0, 0), true_box(0, 50), true_box(0, 90), true_box(0, 0, 1)};
  const std::vector<DetectedBox> found{found_box(0, 50, 0.5), found_box(0, 0, 0.9), found_box(0, 0, 0.5),
                                       found_box(0, 90, 0.2), found_box(0, 20, 0.1)};
  const PrecisionRecall curve = precision_recall(truth, found, 2)[0];
  EXPECT_EQ(curve.truths, 4);
  EXPECT_EQ(curve.score, (std::vector<double>{0.9, 0.5, 0.2, 0.1}));  // one point for the two of 0.5
  EXPECT_EQ(curve.precision, (std::vector<double>{1, 2.0 / 3, 0.75, 0.6}));
  EXPECT_EQ(curve.recall, (std::vector<double>{0.25, 0.5, 0.75, 0.75}));
  EXPECT_EQ(at_score(curve, 0.95).recall, 0);
  EXPECT_EQ(at_score(curve, 0.9).recall, 0.25);
  EXPECT_EQ(at_score(curve, 0.3).precision, 2.0 / 3);
  EXPECT_EQ(at_score(curve, 0).precision, 0.6);
  EXPECT_EQ(precision_recall(truth, found, 2)[1].truths, 0);
  const OperatingPoint best = best_f1({curve});
  EXPECT_EQ(best.score, 0.2);
  EXPECT_NEAR(best.f1, 0.75, 1e-12);
}

TEST(DetectionMetrics, BestF1IsTheBestOfAllScores) {
  for (int64_t number = 0; number < 60; ++number) {
    const DetectionCase made = make_detection_case(number);
    const auto curves = precision_recall(made.truth, made.detections, made.classes);
    double best = 0;
    for (const DetectedBox& found : made.detections) {
      double sum = 0, count = 0;
      for (const PrecisionRecall& curve : curves) {
        if (curve.truths == 0) continue;
        sum += at_score(curve, found.score).f1;
        ++count;
      }
      if (count > 0) best = std::max(best, sum / count);
    }
    EXPECT_NEAR(best_f1(curves).f1, best, 1e-9) << number;
  }
  EXPECT_EQ(best_f1({}).f1, 0);
}

TEST(DetectionMetrics, Confusion) {
  const std::vector<TruthBox> truth{true_box(0, 0), true_box(0, 50), true_box(1, 100), true_box(1, 0, 1)};
  const std::vector<DetectedBox> found{
      found_box(1, 0, 0.95),   // the wrong class, though the right one comes below: a false alarm
      found_box(0, 1, 0.9),    // found
      found_box(1, 51, 0.8),   // a 0 taken for a 1
      found_box(0, 200, 0.7),  // nothing there
      found_box(1, 100, 0.4),  // found, below the score of the second check
  };
  EXPECT_EQ(detection_confusion(truth, found, 2, 0), (std::vector<int64_t>{1, 1, 0, 0, 1, 1, 1, 1, 0}));
  EXPECT_EQ(detection_confusion(truth, found, 2, 0.5), (std::vector<int64_t>{1, 1, 0, 0, 0, 2, 1, 1, 0}));
  EXPECT_EQ(detection_confusion({}, {}, 1, 0), (std::vector<int64_t>{0, 0, 0, 0}));
}

// Rows add up to the truths that count.
TEST(DetectionMetrics, ConfusionCountsEveryTruthOnce) {
  for (int64_t number = 0; number < 60; ++number) {
    const DetectionCase made = make_detection_case(number);
    const auto counts = detection_confusion(made.truth, made.detections, made.classes, 0.3);
    std::vector<int64_t> wanted(static_cast<size_t>(made.classes), 0), got(wanted);
    for (const TruthBox& truth : made.truth) wanted[static_cast<size_t>(truth.label)] += !truth.crowd;
    const auto side = static_cast<size_t>(made.classes) + 1;
    for (size_t row = 0; row + 1 < side; ++row)
      for (size_t column = 0; column < side; ++column) got[row] += counts[row * side + column];
    EXPECT_EQ(got, wanted) << number;
  }
}

TEST(DetectionMetrics, RefusesWhatCannotBeEvaluated) {
  EXPECT_THROW(coco_metrics({true_box(2, 0)}, {}, 2, 1), Error);
  EXPECT_THROW(coco_metrics({true_box(-1, 0)}, {}, 2, 1), Error);
  EXPECT_THROW(coco_metrics({true_box(0, 0, 1)}, {}, 2, 1), Error);
  EXPECT_THROW(coco_metrics({}, {found_box(0, 0, std::nan(""))}, 2, 1), Error);
  EXPECT_THROW(voc_average_precision({}, {}, 1, 0, VocRule::kAllPoints), Error);
  EXPECT_THROW(detection_confusion({}, {}, 1, 0.5, 1.5), Error);
}

TEST(DetectionMetrics, BoxesThatAreNoNumbersOverlapNothing) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  for (const Box& box : {Box{nan, 0, nan, 10}, Box{-inf, -inf, inf, inf}, Box{0, 0, inf, inf}, Box{10, 10, 0, 0}}) {
    const std::vector<DetectedBox> found{{.image = 0, .label = 0, .box = box, .score = 0.5}};
    EXPECT_EQ(coco_metrics({true_box(0, 0)}, found, 1, 1).ap, 0);
    EXPECT_EQ(voc_average_precision({true_box(0, 0)}, found, 1, 0.5, VocRule::kAllPoints)[0], 0);
  }
}

}  // namespace
}  // namespace ghost
