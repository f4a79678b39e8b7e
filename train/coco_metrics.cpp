#include <array>
#include <cmath>
#include <limits>

#include "core/parallel.h"
#include "train/detection_match.h"

namespace ghost {
namespace {

constexpr size_t kThresholds = 10, kRecalls = 101, kAreas = 4;
constexpr size_t kMostDetections = 100;

struct AreaRange {
  double low, high;
  bool leaves_out(double area) const { return area < low || area > high; }
};
// All, small, medium, large.
constexpr std::array<AreaRange, kAreas> kAreaRanges{{{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}}};

// numpy.linspace to the bit, since thresholds are compared with >=.
template <size_t n>
std::array<double, n> evenly_spaced(double first, double last) {
  std::array<double, n> values{};
  const double step = (last - first) / static_cast<double>(n - 1);
  for (size_t i = 0; i < n; ++i) values[i] = static_cast<double>(i) * step + first;
  values[n - 1] = last;
  return values;
}

using Bits = std::array<uint16_t, kAreas>;  // bit t: at IoU threshold t

struct Judged {
  double score;
  size_t rank;  // within its picture and class
  Bits matched{}, ignored{};
};

struct ClassResult {
  // Mean precision over the recall points and last recall; -1 without truth.
  std::array<std::array<double, kThresholds>, kAreas> precision, recall;
  std::array<double, kThresholds> recall1, recall10;
};

class ClassEvaluation {
 public:
  ClassEvaluation(const std::vector<TruthBox>& truth, const std::vector<DetectedBox>& detections)
      : truth_(truth), detections_(detections) {}

  // Indices of one picture's boxes of the class; detections by falling score.
  void add_picture(const std::vector<size_t>& truths, std::vector<size_t> found) {
    if (found.size() > kMostDetections) found.resize(kMostDetections);
    std::vector<double> overlaps;
    for (const size_t d : found)
      for (const size_t g : truths) overlaps.push_back(overlap(detections_[d].box, truth_[g]));
    const size_t first = judged_.size();
    for (size_t i = 0; i < found.size(); ++i) judged_.push_back({detections_[found[i]].score, i, {}, {}});
    for (size_t area = 0; area < kAreas; ++area) judge(area, truths, found, overlaps, first);
  }

  ClassResult finish() {
    std::stable_sort(judged_.begin(), judged_.end(),
                     [](const Judged& a, const Judged& b) { return a.score > b.score; });
    ClassResult result{};
    for (size_t t = 0; t < kThresholds; ++t) {
      for (size_t area = 0; area < kAreas; ++area) {
        result.precision[area][t] = mean_precision(area, t);
        result.recall[area][t] = last_recall(area, t, kMostDetections);
      }
      result.recall1[t] = last_recall(0, t, 1);
      result.recall10[t] = last_recall(0, t, 10);
    }
    return result;
  }

 private:
  void judge(size_t area, const std::vector<size_t>& truths, const std::vector<size_t>& found,
             const std::vector<double>& overlaps, size_t first) {
    const AreaRange& range = kAreaRanges[area];
    std::vector<char> ignored(truths.size());
    std::vector<size_t> order;  // those that count first
    for (size_t g = 0; g < truths.size(); ++g)
      ignored[g] = is_ignored(truth_[truths[g]]) || range.leaves_out(truth_[truths[g]].area);
    for (const bool pass : {false, true})
      for (size_t g = 0; g < truths.size(); ++g)
        if (ignored[g] == pass) order.push_back(g);
    counted_[area] += std::count(ignored.begin(), ignored.end(), 0);

    std::vector<char> taken;
    for (size_t t = 0; t < kThresholds; ++t) {
      taken.assign(truths.size(), 0);
      const auto bit = static_cast<uint16_t>(1u << t);
      for (size_t d = 0; d < found.size(); ++d) {
        Judged& judged = judged_[first + d];
        const size_t match = best_match(t, truths, order, ignored, taken, overlaps.data() + d * truths.size());
        if (match < truths.size()) {
          taken[match] = 1;
          judged.matched[area] |= bit;
          if (ignored[match]) judged.ignored[area] |= bit;
        } else if (const Box& box = detections_[found[d]].box; range.leaves_out(box.width() * box.height())) {
          judged.ignored[area] |= bit;
        }
      }
    }
  }

  // Among equally good ones the last; truths.size(): none.
  size_t best_match(size_t t, const std::vector<size_t>& truths, const std::vector<size_t>& order,
                    const std::vector<char>& ignored, const std::vector<char>& taken, const double* overlaps) const {
    double best = std::min(thresholds_[t], 1 - 1e-10);
    size_t match = truths.size();
    for (const size_t g : order) {
      if (taken[g] && !truth_[truths[g]].crowd) continue;
      if (match < truths.size() && !ignored[match] && ignored[g]) break;
      if (overlaps[g] < best) continue;
      best = overlaps[g];
      match = g;
    }
    return match;
  }

  double last_recall(size_t area, size_t t, size_t most) const {
    if (counted_[area] == 0) return -1;
    int64_t hits = 0;
    for (const Judged& judged : judged_)
      hits += judged.rank < most && (judged.matched[area] & ~judged.ignored[area]) >> t & 1;
    return static_cast<double>(hits) / static_cast<double>(counted_[area]);
  }

  double mean_precision(size_t area, size_t t) const {
    if (counted_[area] == 0) return -1;
    std::vector<double> precision, recall;
    double hits = 0, misses = 0;
    for (const Judged& judged : judged_) {
      const bool counts = !(judged.ignored[area] >> t & 1), matched = judged.matched[area] >> t & 1;
      hits += counts && matched;
      misses += counts && !matched;
      precision.push_back(hits / (misses + hits + std::numeric_limits<double>::epsilon()));
      recall.push_back(hits / static_cast<double>(counted_[area]));
    }
    for (size_t i = precision.size(); i-- > 1;) precision[i - 1] = std::max(precision[i - 1], precision[i]);
    double sum = 0;
    size_t at = 0;
    for (const double wanted : recalls_) {
      while (at < recall.size() && recall[at] < wanted) ++at;
      if (at == recall.size()) break;
      sum += precision[at];
    }
    return sum / static_cast<double>(kRecalls);
  }

  const std::vector<TruthBox>& truth_;
  const std::vector<DetectedBox>& detections_;
  const std::array<double, kThresholds> thresholds_ = evenly_spaced<kThresholds>(0.5, 0.95);
  const std::array<double, kRecalls> recalls_ = evenly_spaced<kRecalls>(0, 1);
  std::vector<Judged> judged_;
  std::array<int64_t, kAreas> counted_{};  // truths that are not ignored
};

// The indices of `image`'s boxes, from `at` on in a list sorted by picture.
template <class Item>
std::vector<size_t> take_image(const std::vector<Item>& items, const std::vector<size_t>& indices, int64_t image,
                               size_t& at) {
  std::vector<size_t> result;
  while (at < indices.size() && items[indices[at]].image == image) result.push_back(indices[at++]);
  return result;
}

ClassResult evaluate_class(const std::vector<TruthBox>& truth, const std::vector<DetectedBox>& detections,
                           std::vector<size_t> truths, std::vector<size_t> found) {
  ClassEvaluation evaluation(truth, detections);
  sort_by_score(detections, found);
  sort_by_image(detections, found);
  sort_by_image(truth, truths);
  for (size_t g = 0, d = 0; g < truths.size() || d < found.size();) {
    int64_t image = std::numeric_limits<int64_t>::max();
    if (g < truths.size()) image = truth[truths[g]].image;
    if (d < found.size()) image = std::min(image, detections[found[d]].image);
    const std::vector<size_t> here = take_image(truth, truths, image, g);
    evaluation.add_picture(here, take_image(detections, found, image, d));
  }
  return evaluation.finish();
}

double mean(const std::array<double, kThresholds>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(kThresholds);
}

// Over the classes that have a value.
template <class Value>
double class_mean(const std::vector<ClassResult>& results, const Value& value_of) {
  double sum = 0, count = 0;
  for (const ClassResult& result : results) {
    const double value = value_of(result);
    if (value < 0) continue;
    sum += value;
    ++count;
  }
  return count > 0 ? sum / count : -1;
}

}  // namespace

CocoMetrics coco_metrics(const std::vector<TruthBox>& truth, const std::vector<DetectedBox>& detections,
                         int64_t classes, int64_t images) {
  check_boxes(truth, detections, classes, images);
  const auto truths = indices_by_class(truth, classes), found = indices_by_class(detections, classes);
  std::vector<ClassResult> results(static_cast<size_t>(classes));
  parallel_for(classes, [&](int64_t task) {
    const auto k = static_cast<size_t>(task);
    results[k] = evaluate_class(truth, detections, truths[k], found[k]);
  });

  enum : size_t { kAll, kSmall, kMedium, kLarge };
  const auto precision = [&](size_t area) {
    return class_mean(results, [=](const ClassResult& r) { return mean(r.precision[area]); });
  };
  const auto precision_at = [&](size_t t) {
    return class_mean(results, [=](const ClassResult& r) { return r.precision[kAll][t]; });
  };
  const auto recall = [&](size_t area) {
    return class_mean(results, [=](const ClassResult& r) { return mean(r.recall[area]); });
  };
  CocoMetrics metrics{.ap = precision(kAll),
                      .ap50 = precision_at(0),
                      .ap75 = precision_at(5),
                      .ap_small = precision(kSmall),
                      .ap_medium = precision(kMedium),
                      .ap_large = precision(kLarge),
                      .ar1 = class_mean(results, [](const ClassResult& r) { return mean(r.recall1); }),
                      .ar10 = class_mean(results, [](const ClassResult& r) { return mean(r.recall10); }),
                      .ar100 = recall(kAll),
                      .ar_small = recall(kSmall),
                      .ar_medium = recall(kMedium),
                      .ar_large = recall(kLarge),
                      .class_ap = {},
                      .class_ap50 = {}};
  for (const ClassResult& result : results) {
    metrics.class_ap.push_back(mean(result.precision[kAll]));
    metrics.class_ap50.push_back(result.precision[kAll][0]);
  }
  return metrics;
}

}  // namespace ghost
