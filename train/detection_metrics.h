// Average precision as the field's evaluators compute it.
//
// Pictures are numbered as the evaluator visits them: by rising COCO image id. That and the order of the lists only
// matter among equal scores. Crowds and difficult boxes are ignored everywhere: no miss, and what lies on them is no
// false alarm.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/box.h"

namespace ghost {

struct TruthBox {
  int64_t image = 0, label = 0;
  Box box;
  double area = 0;  // COCO's; for the small, medium, large split
  bool crowd = false, difficult = false;
};

struct DetectedBox {
  int64_t image = 0, label = 0;
  Box box;
  double score = 0;
};

struct CocoMetrics {
  // -1 where nothing can be measured, as pycocotools.
  double ap = -1, ap50 = -1, ap75 = -1, ap_small = -1, ap_medium = -1, ap_large = -1;
  double ar1 = -1, ar10 = -1, ar100 = -1, ar_small = -1, ar_medium = -1, ar_large = -1;
  std::vector<double> class_ap, class_ap50;  // per class
};
// pycocotools' COCOeval for boxes (IoU .5:.05:.95, 101 points, at most 100 detections a picture and class). A difficult
// box, which COCO does not know, is ignored but not a crowd: IoU as usual, and one detection may lie on it.
CocoMetrics coco_metrics(const std::vector<TruthBox>& truth, const std::vector<DetectedBox>& detections,
                         int64_t classes, int64_t images);

enum class VocRule { kAllPoints, k11Points };
// VOC devkit at one IoU: best truth per detection, difficult ones count neither way. Per class; -1 without truth.
std::vector<double> voc_average_precision(const std::vector<TruthBox>& truth,
                                          const std::vector<DetectedBox>& detections, int64_t classes,
                                          double iou_threshold, VocRule rule);

// Precision and recall of a class over the score, by falling score, one point for each score; matched by the VOC rule.
struct PrecisionRecall {
  std::vector<double> score, precision, recall;
  int64_t truths = 0;
};
std::vector<PrecisionRecall> precision_recall(const std::vector<TruthBox>& truth,
                                              const std::vector<DetectedBox>& detections, int64_t classes,
                                              double iou_threshold = 0.5);

struct OperatingPoint {
  double score = 0, precision = 0, recall = 0, f1 = 0;
};
// One score for all classes: where the mean F1 of the classes that have truth is highest, of equal ones the highest
// score. Precision, recall and F1 are such means. All 0 where nothing is ever found.
OperatingPoint best_f1(const std::vector<PrecisionRecall>& curves);
// Keeping detections of at least this score; 0 where there is none.
OperatingPoint at_score(const PrecisionRecall& curve, double score);

// [truth * (classes + 1) + prediction]; the last row is background detected, the last column truth missed. Detections
// of at least `score`; each takes at most one truth and a truth is taken once, its own class's detections first.
std::vector<int64_t> detection_confusion(const std::vector<TruthBox>& truth, const std::vector<DetectedBox>& detections,
                                         int64_t classes, double score, double iou_threshold = 0.5);

}  // namespace ghost
