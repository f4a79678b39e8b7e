#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "core/error.h"
#include "train/detection_match.h"

namespace ghost {
namespace {

struct Hit {
  double score;
  bool correct;
};

// The detections of a class that count, by falling score.
struct ClassHits {
  std::vector<Hit> hits;
  int64_t truths = 0;
};

enum class Verdict { kCorrect, kWrong, kIgnored };

// The devkit's rule: the best truth of the picture decides, also where it is taken already. A crowd only takes what
// nothing else has.
Verdict judge(const Box& box, const std::vector<TruthBox>& truth, const std::vector<size_t>& candidates,
              std::vector<char>& taken, double iou_threshold) {
  double best = 0, best_crowd = 0;
  size_t match = 0;
  for (const size_t g : candidates) {
    const double value = overlap(box, truth[g]);
    if (truth[g].crowd) {
      best_crowd = std::max(best_crowd, value);
    } else if (value > best) {
      best = value;
      match = g;
    }
  }
  if (best > 0 && best >= iou_threshold) {
    if (truth[match].difficult) return Verdict::kIgnored;
    if (taken[match]) return Verdict::kWrong;
    taken[match] = 1;
    return Verdict::kCorrect;
  }
  return best_crowd > 0 && best_crowd >= iou_threshold ? Verdict::kIgnored : Verdict::kWrong;
}

std::vector<ClassHits> match_classes(const std::vector<TruthBox>& truth, const std::vector<DetectedBox>& detections,
                                     int64_t classes, double iou_threshold) {
  check_boxes(truth, detections, classes);
  GHOST_CHECK(iou_threshold > 0 && iou_threshold <= 1, "an IoU threshold of ", iou_threshold,
              ": it must be above 0 and at most 1");
  const auto truths = indices_by_class(truth, classes);
  auto found = indices_by_class(detections, classes);
  std::vector<char> taken(truth.size(), 0);
  std::vector<ClassHits> results(static_cast<size_t>(classes));
  for (size_t k = 0; k < results.size(); ++k) {
    std::unordered_map<int64_t, std::vector<size_t>> by_image;
    for (const size_t g : truths[k]) {
      by_image[truth[g].image].push_back(g);
      results[k].truths += !is_ignored(truth[g]);
    }
    sort_by_score(detections, found[k]);
    for (const size_t d : found[k]) {
      const auto candidates = by_image.find(detections[d].image);
      Verdict verdict = Verdict::kWrong;
      if (candidates != by_image.end())
        verdict = judge(detections[d].box, truth, candidates->second, taken, iou_threshold);
      if (verdict != Verdict::kIgnored) results[k].hits.push_back({detections[d].score, verdict == Verdict::kCorrect});
    }
  }
  return results;
}

struct VocCurve {
  std::vector<double> precision, recall;
};

VocCurve curve_of(const ClassHits& found) {
  VocCurve curve;
  double correct = 0, all = 0;
  for (const Hit& hit : found.hits) {
    correct += hit.correct;
    ++all;
    curve.precision.push_back(correct / all);
    curve.recall.push_back(found.truths > 0 ? correct / static_cast<double>(found.truths) : 0);
  }
  return curve;
}

// The area under the curve once precision never rises with recall.
double all_points(VocCurve curve) {
  double area = 0, highest = 0;
  for (size_t i = curve.recall.size(); i-- > 0;) {
    highest = std::max(highest, curve.precision[i]);
    area += (curve.recall[i] - (i > 0 ? curve.recall[i - 1] : 0)) * highest;
  }
  return area;
}

double eleven_points(const VocCurve& curve) {
  double sum = 0;
  for (int point = 0; point <= 10; ++point) {
    double best = 0;
    for (size_t i = 0; i < curve.recall.size(); ++i)
      if (curve.recall[i] >= point / 10.0) best = std::max(best, curve.precision[i]);
    sum += best / 11;
  }
  return sum;
}

}  // namespace

std::vector<double> voc_average_precision(const std::vector<TruthBox>& truth,
                                          const std::vector<DetectedBox>& detections, int64_t classes,
                                          double iou_threshold, VocRule rule) {
  std::vector<double> result;
  for (const ClassHits& found : match_classes(truth, detections, classes, iou_threshold)) {
    const VocCurve curve = curve_of(found);
    result.push_back(found.truths == 0 ? -1 : rule == VocRule::kAllPoints ? all_points(curve) : eleven_points(curve));
  }
  return result;
}

std::vector<PrecisionRecall> precision_recall(const std::vector<TruthBox>& truth,
                                              const std::vector<DetectedBox>& detections, int64_t classes,
                                              double iou_threshold) {
  std::vector<PrecisionRecall> result;
  for (const ClassHits& found : match_classes(truth, detections, classes, iou_threshold)) {
    const VocCurve curve = curve_of(found);
    PrecisionRecall& out = result.emplace_back();
    out.truths = found.truths;
    for (size_t i = 0; i < found.hits.size(); ++i) {
      // A threshold takes all detections of one score or none.
      if (i + 1 < found.hits.size() && found.hits[i + 1].score == found.hits[i].score) continue;
      out.score.push_back(found.hits[i].score);
      out.precision.push_back(curve.precision[i]);
      out.recall.push_back(curve.recall[i]);
    }
  }
  return result;
}

}  // namespace ghost
