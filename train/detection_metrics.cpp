#include "train/detection_metrics.h"

#include <cmath>
#include <map>

#include "core/error.h"
#include "train/detection_match.h"

namespace ghost {
namespace {

OperatingPoint point(double score, double precision, double recall) {
  const double sum = precision + recall;
  return {score, precision, recall, sum > 0 ? 2 * precision * recall / sum : 0};
}

OperatingPoint mean_at(const std::vector<PrecisionRecall>& curves, double score) {
  OperatingPoint mean{.score = score};
  double count = 0;
  for (const PrecisionRecall& curve : curves) {
    if (curve.truths == 0) continue;
    const OperatingPoint one = at_score(curve, score);
    mean.precision += one.precision;
    mean.recall += one.recall;
    mean.f1 += one.f1;
    ++count;
  }
  if (count == 0) return mean;
  return {score, mean.precision / count, mean.recall / count, mean.f1 / count};
}

// One picture's boxes.
struct Picture {
  std::vector<size_t> truths, found;
};

class Confusion {
 public:
  Confusion(const std::vector<TruthBox>& truth, const std::vector<DetectedBox>& detections, int64_t classes,
            double iou_threshold)
      : truth_(truth),
        detections_(detections),
        side_(static_cast<size_t>(classes) + 1),
        iou_threshold_(iou_threshold),
        counts_(side_ * side_, 0) {}

  // Same class first, so that the diagonal is what AP counts as found; then what is left, whatever its class.
  void add(Picture& picture) {
    sort_by_score(detections_, picture.found);
    std::vector<char> taken(picture.truths.size(), 0);
    std::vector<size_t> left = assign(picture, picture.found, true, taken);
    left = assign(picture, left, false, taken);
    for (const size_t d : left)
      if (!on_ignored(picture, detections_[d])) ++at(side_ - 1, static_cast<size_t>(detections_[d].label));
    for (size_t i = 0; i < picture.truths.size(); ++i) {
      const TruthBox& truth = truth_[picture.truths[i]];
      if (!taken[i] && !is_ignored(truth)) ++at(static_cast<size_t>(truth.label), side_ - 1);
    }
  }

  std::vector<int64_t> take() { return std::move(counts_); }

 private:
  int64_t& at(size_t row, size_t column) { return counts_[row * side_ + column]; }

  // Returns the detections that found no truth.
  std::vector<size_t> assign(const Picture& picture, const std::vector<size_t>& found, bool same_class,
                             std::vector<char>& taken) {
    std::vector<size_t> left;
    for (const size_t d : found) {
      const DetectedBox& detection = detections_[d];
      double best = 0;
      size_t match = picture.truths.size();
      for (size_t i = 0; i < picture.truths.size(); ++i) {
        const TruthBox& truth = truth_[picture.truths[i]];
        if (taken[i] || is_ignored(truth) || (same_class && truth.label != detection.label)) continue;
        const double value = overlap(detection.box, truth);
        if (value < iou_threshold_ || value <= best) continue;
        best = value;
        match = i;
      }
      if (match == picture.truths.size()) {
        left.push_back(d);
        continue;
      }
      taken[match] = 1;
      ++at(static_cast<size_t>(truth_[picture.truths[match]].label), static_cast<size_t>(detection.label));
    }
    return left;
  }

  bool on_ignored(const Picture& picture, const DetectedBox& detection) const {
    return std::any_of(picture.truths.begin(), picture.truths.end(), [&](size_t g) {
      return is_ignored(truth_[g]) && truth_[g].label == detection.label &&
             overlap(detection.box, truth_[g]) >= iou_threshold_;
    });
  }

  const std::vector<TruthBox>& truth_;
  const std::vector<DetectedBox>& detections_;
  const size_t side_;
  const double iou_threshold_;
  std::vector<int64_t> counts_;
};

template <class Item>
void check_place(const Item& item, const char* what, size_t index, int64_t classes, int64_t images) {
  GHOST_CHECK(item.label >= 0 && item.label < classes, what, ' ', index, " has label ", item.label, ", but there are ",
              classes, " classes");
  GHOST_CHECK(item.image >= 0 && (images < 0 || item.image < images), what, ' ', index, " lies in picture ", item.image,
              images < 0 ? str("; pictures count from 0") : str(", but there are ", images, " pictures"));
}

}  // namespace

void check_boxes(const std::vector<TruthBox>& truth, const std::vector<DetectedBox>& detections, int64_t classes,
                 int64_t images) {
  GHOST_CHECK(classes >= 0, "evaluation with ", classes, " classes");
  for (size_t i = 0; i < truth.size(); ++i) check_place(truth[i], "true box", i, classes, images);
  for (size_t i = 0; i < detections.size(); ++i) {
    check_place(detections[i], "detection", i, classes, images);
    GHOST_CHECK_AS(kNonFinite, std::isfinite(detections[i].score), "detection ", i, " (picture ", detections[i].image,
                   ") has a score of ", detections[i].score, ": the network's output is not finite");
  }
}

OperatingPoint at_score(const PrecisionRecall& curve, double score) {
  const auto below = std::upper_bound(curve.score.begin(), curve.score.end(), score, std::greater<>());
  if (below == curve.score.begin()) return {.score = score};
  const auto last = static_cast<size_t>(below - curve.score.begin()) - 1;
  return point(score, curve.precision[last], curve.recall[last]);
}

OperatingPoint best_f1(const std::vector<PrecisionRecall>& curves) {
  // A sweep down the scores of all classes; `f1` holds each class's value at the present one.
  struct Step {
    double score;
    size_t curve, at;
  };
  std::vector<Step> steps;
  for (size_t k = 0; k < curves.size(); ++k)
    for (size_t i = 0; curves[k].truths > 0 && i < curves[k].score.size(); ++i)
      steps.push_back({curves[k].score[i], k, i});
  std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.score > b.score; });
  std::vector<double> f1(curves.size(), 0);
  double sum = 0, best_sum = 0, best_score = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const PrecisionRecall& curve = curves[step.curve];
    const double value = point(step.score, curve.precision[step.at], curve.recall[step.at]).f1;
    sum += value - f1[step.curve];
    f1[step.curve] = value;
    const bool last_of_score = i + 1 == steps.size() || steps[i + 1].score != step.score;
    if (last_of_score && sum > best_sum + 1e-9) {  // what is only rounding must not move the threshold
      best_sum = sum;
      best_score = step.score;
    }
  }
  return best_sum > 0 ? mean_at(curves, best_score) : OperatingPoint{};
}

std::vector<int64_t> detection_confusion(const std::vector<TruthBox>& truth, const std::vector<DetectedBox>& detections,
                                         int64_t classes, double score, double iou_threshold) {
  check_boxes(truth, detections, classes);
  GHOST_CHECK(iou_threshold > 0 && iou_threshold <= 1, "an IoU threshold of ", iou_threshold,
              ": it must be above 0 and at most 1");
  std::map<int64_t, Picture> pictures;
  for (size_t i = 0; i < truth.size(); ++i) pictures[truth[i].image].truths.push_back(i);
  for (size_t i = 0; i < detections.size(); ++i)
    if (detections[i].score >= score) pictures[detections[i].image].found.push_back(i);
  Confusion confusion(truth, detections, classes, iou_threshold);
  for (auto& [image, picture] : pictures) confusion.add(picture);
  return confusion.take();
}

}  // namespace ghost
