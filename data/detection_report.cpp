#include "data/detection_report.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"
#include "data/picture_source.h"

namespace ghost {
namespace {

using Kind = DetectionProblem::Kind;

std::array<double, 3> range_of(std::vector<double>& values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

ClassReport report_class(const DetectionSet& set, int64_t label) {
  ClassReport report;
  std::vector<double> widths, heights, areas;
  for (const DetectionSample& sample : set.samples) {
    const int64_t before = report.boxes;
    for (const BoxLabel& box : sample.boxes) {
      if (box.label != label) continue;
      ++report.boxes;
      report.difficult += box.difficult;
      report.crowd += box.crowd;
      widths.push_back(box.box.width());
      heights.push_back(box.box.height());
      areas.push_back(box.box.area());
    }
    report.pictures += report.boxes > before;
  }
  report.width = range_of(widths);
  report.height = range_of(heights);
  report.area = range_of(areas);
  return report;
}

// The boxes in an order of their own, to compare two pictures' labels.
std::vector<std::tuple<int64_t, double, double, double, double>> sorted_boxes(const DetectionSample& sample) {
  std::vector<std::tuple<int64_t, double, double, double, double>> boxes;
  for (const BoxLabel& box : sample.boxes)
    boxes.emplace_back(box.label, box.box.left, box.box.top, box.box.right, box.box.bottom);
  std::sort(boxes.begin(), boxes.end());
  return boxes;
}

void inspect_files(const DetectionSet& set, const DecodeOptions& options, DetectionReport& report) {
  std::vector<PictureFinding> findings = inspect_pictures(paths_of(set.samples), options);
  for (size_t i = 0; i < findings.size(); ++i) {
    report.hashes.push_back(findings[i].hash);
    if (findings[i].reason.empty()) {
      ++report.readable;
    } else {
      report.unreadable.emplace_back(static_cast<int64_t>(i), std::move(findings[i].reason));
    }
  }
  report.duplicates = same_files(report.hashes);
  const auto boxes = [&](int64_t i) { return sorted_boxes(set.samples[static_cast<size_t>(i)]); };
  for (const std::vector<int64_t>& group : report.duplicates)
    if (std::any_of(group.begin(), group.end(), [&](int64_t i) { return boxes(i) != boxes(group[0]); }))
      report.conflicting.push_back(group);
}

}  // namespace

std::string problem_name(Kind kind) {
  switch (kind) {
    case Kind::kOutside: return "box outside the picture";
    case Kind::kNoArea: return "box without area";
    case Kind::kThin: return "thin box";
    case Kind::kDuplicate: return "duplicate box";
    case Kind::kUnknownClass: return "unknown class";
    case Kind::kMissingPicture: return "missing picture";
    case Kind::kUnreadable: return "unreadable picture";
    case Kind::kMalformed: return "malformed label";
    case Kind::kOtherSize: return "other picture size in the labels";
  }
  GHOST_ASSERT(false);
  return "";
}

DetectionReport inspect_detection_set(const DetectionSet& set, const DecodeOptions& options) {
  DetectionReport report;
  for (const DetectionProblem& problem : set.problems)
    ++report.problems[static_cast<size_t>(std::find(kProblemKinds.begin(), kProblemKinds.end(), problem.kind) -
                                          kProblemKinds.begin())];
  for (size_t i = 0; i < set.classes.size(); ++i) report.classes.push_back(report_class(set, static_cast<int64_t>(i)));
  for (const DetectionSample& sample : set.samples) {
    const auto boxes = static_cast<int64_t>(sample.boxes.size());
    report.boxes += boxes;
    report.negatives += boxes == 0;
    report.most_boxes = std::max(report.most_boxes, boxes);
    const auto [smaller, larger] = std::minmax(sample.width, sample.height);
    report.smallest_side = &sample == &set.samples[0] ? smaller : std::min(report.smallest_side, smaller);
    report.largest_side = std::max(report.largest_side, larger);
  }
  inspect_files(set, options, report);
  return report;
}

std::vector<std::pair<int64_t, int64_t>> overlap(const DetectionReport& first, const DetectionReport& second) {
  return shared_files(first.hashes, second.hashes);
}

}  // namespace ghost
