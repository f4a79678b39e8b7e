#include "data/anchors.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/parallel.h"
#include "core/random.h"
#include "data/streams.h"

namespace ghost {
namespace {

constexpr int64_t kChunk = 4096;
constexpr int kMaxRounds = 300;

double iou(const Anchor& a, const Anchor& b) {
  const double shared = std::min(a[0], b[0]) * std::min(a[1], b[1]);
  return shared / (a[0] * a[1] + b[0] * b[1] - shared);
}

struct Assignment {
  std::vector<int64_t> nearest;
  std::vector<double> best;  // IoU with it
  double mean = 0;
};

void assign(const std::vector<Anchor>& sizes, const std::vector<Anchor>& anchors, Assignment& result) {
  const auto count = static_cast<int64_t>(sizes.size());
  result.nearest.resize(sizes.size());
  result.best.resize(sizes.size());
  parallel_chunks(count, kChunk, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      size_t nearest = 0;
      double best = -1;
      for (size_t k = 0; k < anchors.size(); ++k) {
        const double value = iou(sizes[i], anchors[k]);
        if (value > best) {
          best = value;
          nearest = k;
        }
      }
      result.nearest[i] = static_cast<int64_t>(nearest);
      result.best[i] = best;
    }
  });
  double sum = 0;
  for (const double value : result.best) sum += value;
  result.mean = count ? sum / static_cast<double>(count) : 0;
}

// k-means++: each next centre is drawn with the probability of its squared distance to the nearest so far.
std::vector<Anchor> first_centres(const std::vector<Anchor>& sizes, int64_t count, Rng& rng) {
  std::vector<Anchor> centres{sizes[static_cast<size_t>(rng.below(static_cast<int64_t>(sizes.size())))]};
  Assignment assignment;
  while (static_cast<int64_t>(centres.size()) < count) {
    assign(sizes, centres, assignment);
    double total = 0;
    for (const double best : assignment.best) total += (1 - best) * (1 - best);
    double left = static_cast<double>(rng.uniform()) * total;
    size_t drawn = 0, last = 0;  // `last` that has a distance: rounding may leave a rest
    for (; drawn < sizes.size(); ++drawn) {
      const double weight = (1 - assignment.best[drawn]) * (1 - assignment.best[drawn]);
      if (weight <= 0) continue;
      last = drawn;
      left -= weight;
      if (left < 0) break;
    }
    centres.push_back(sizes[std::min(drawn, last)]);
  }
  return centres;
}

double median(std::vector<double>& values) {
  const size_t middle = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(middle), values.end());
  if (values.size() % 2) return values[middle];
  return (values[middle] + *std::max_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(middle))) / 2;
}

// Moves each centre to the median of its boxes; one without boxes to the box that fits worst.
void move_centres(const std::vector<Anchor>& sizes, Assignment& assignment, std::vector<Anchor>& centres) {
  std::vector<std::vector<double>> widths(centres.size()), heights(centres.size());
  for (size_t i = 0; i < sizes.size(); ++i) {
    const auto k = static_cast<size_t>(assignment.nearest[i]);
    widths[k].push_back(sizes[i][0]);
    heights[k].push_back(sizes[i][1]);
  }
  for (size_t k = 0; k < centres.size(); ++k) {
    if (!widths[k].empty()) {
      centres[k] = {median(widths[k]), median(heights[k])};
      continue;
    }
    const auto worst = std::min_element(assignment.best.begin(), assignment.best.end());
    centres[k] = sizes[static_cast<size_t>(worst - assignment.best.begin())];
    *worst = 1;  // taken
  }
}

}  // namespace

std::vector<Anchor> box_sizes_in_input(const DetectionSet& set, const AnchorOptions& options) {
  std::vector<Anchor> sizes;
  for (const DetectionSample& sample : set.samples) {
    double scale_x = static_cast<double>(options.input_width) / sample.width;
    double scale_y = static_cast<double>(options.input_height) / sample.height;
    if (options.keep_ratio) scale_x = scale_y = std::min(scale_x, scale_y);
    for (const BoxLabel& label : sample.boxes)
      if (!label.difficult && !label.crowd)
        sizes.push_back({label.box.width() * scale_x, label.box.height() * scale_y});
  }
  return sizes;
}

double mean_best_iou(const std::vector<Anchor>& sizes, const std::vector<Anchor>& anchors) {
  if (anchors.empty()) return 0;
  Assignment assignment;
  assign(sizes, anchors, assignment);
  return assignment.mean;
}

AnchorResult cluster_anchors(const std::vector<Anchor>& sizes, const AnchorOptions& options) {
  GHOST_CHECK(options.count >= 1 && options.attempts >= 1, "at least one anchor and one attempt, got ", options.count,
              " and ", options.attempts);
  const auto different = static_cast<int64_t>(std::set<Anchor>(sizes.begin(), sizes.end()).size());
  GHOST_CHECK_AS(kData, different >= options.count, "the ", sizes.size(), " boxes have ", different,
                 " different sizes, too few for ", options.count, " anchors; keep the anchors of the config");
  AnchorResult result;
  result.before = mean_best_iou(sizes, options.before);
  result.after = -1;
  Assignment assignment;
  for (int64_t attempt = 0; attempt < options.attempts; ++attempt) {
    Rng rng(options.seed, stream_id(kAnchorStream, static_cast<uint64_t>(attempt)));
    std::vector<Anchor> centres = first_centres(sizes, options.count, rng);
    std::vector<int64_t> last;
    for (int round = 0; round < kMaxRounds; ++round) {
      assign(sizes, centres, assignment);
      if (assignment.mean > result.after) {  // medians do not always gain: the best round counts
        result.after = assignment.mean;
        result.anchors = centres;
      }
      if (assignment.nearest == last) break;
      last = assignment.nearest;
      move_centres(sizes, assignment, centres);
    }
  }
  std::sort(result.anchors.begin(), result.anchors.end(),
            [](const Anchor& a, const Anchor& b) { return std::pair(a[0] * a[1], a) < std::pair(b[0] * b[1], b); });
  assign(sizes, result.anchors, assignment);
  result.boxes.assign(result.anchors.size(), 0);
  for (const int64_t nearest : assignment.nearest) ++result.boxes[static_cast<size_t>(nearest)];
  return result;
}

AnchorResult cluster_anchors(const DetectionSet& set, const AnchorOptions& options) {
  GHOST_CHECK(options.input_width > 0 && options.input_height > 0, "the input size is positive, got ",
              options.input_width, "x", options.input_height);
  return cluster_anchors(box_sizes_in_input(set, options), options);
}

}  // namespace ghost
