#include "apps/check.h"
#include "core/error.h"
#include "data/detection_report.h"

namespace ghost {
namespace {

struct BoxSplit {
  DetectionSet set;
  DetectionReport report;
};

BoxSplit inspect(const Config& config, const std::string& source, const std::vector<std::string>& classes) {
  DetectionSet set = open_detection_set({.source = source,
                                         .format = detection_format_from_name(config.data.format),
                                         .class_file = classes.empty() ? config.data.classes : "",
                                         .classes = classes,
                                         .skip_bad = true});
  DetectionReport report = inspect_detection_set(set);
  return {std::move(set), std::move(report)};
}

// Returns the number of files and boxes that training would have to leave out.
int64_t print(Log& log, const BoxSplit& split) {
  const auto& [set, report] = split;
  log.line(fmt::format("{}: {} pictures, {} boxes, {} pictures without, at most {} in one, sides {} to {} pixels",
                       set.source, set.samples.size(), report.boxes, report.negatives, report.most_boxes,
                       report.smallest_side, report.largest_side));
  log.line(fmt::format("  {:>8} {:>9} {:>22} {:>22}  class", "boxes", "pictures", "width min/median/max", "height"));
  for (size_t k = 0; k < set.classes.size(); ++k) {
    const ClassReport& of_class = report.classes[k];
    const auto range = [](const std::array<double, 3>& r) {
      return fmt::format("{:.0f}/{:.0f}/{:.0f}", r[0], r[1], r[2]);
    };
    log.line(fmt::format("  {:>8} {:>9} {:>22} {:>22}  {}", of_class.boxes, of_class.pictures, range(of_class.width),
                         range(of_class.height), set.classes[k]));
  }
  int64_t bad = static_cast<int64_t>(report.unreadable.size());
  for (size_t i = 0; i < kProblemKinds.size(); ++i) {
    std::vector<std::string> of_kind;
    for (const DetectionProblem& problem : set.problems)
      if (problem.kind == kProblemKinds[i]) of_kind.push_back(problem.place + ": " + problem.reason);
    list_problems(log, problem_name(kProblemKinds[i]), of_kind, [](const std::string& text) { return text; });
    using Kind = DetectionProblem::Kind;
    for (const Kind kind : {Kind::kMissingPicture, Kind::kUnreadable, Kind::kMalformed, Kind::kUnknownClass})
      if (kProblemKinds[i] == kind) bad += report.problems[i];
  }
  list_problems(log, "unreadable", report.unreadable, [](const auto& entry) { return entry.second; });
  list_problems(log, "the same bytes", report.duplicates,
                [&](const auto& group) { return equal_paths(set.samples, group); });
  list_problems(log, "the same bytes with different boxes", report.conflicting,
                [&](const auto& group) { return equal_paths(set.samples, group); });
  return bad;
}

}  // namespace

int check_boxes(Log& log, const Config& config) {
  const BoxSplit first = inspect(config, config.data.train, {});
  int64_t bad = print(log, first);
  if (!config.data.val.empty()) {
    const BoxSplit second = inspect(config, config.data.val, first.set.classes);
    bad += print(log, second);
    list_problems(log, "pictures of " + config.data.val + " that are in " + config.data.train + " too",
                  overlap(first.report, second.report), [&](const std::pair<int64_t, int64_t>& both) {
                    return path_of(second.set.samples, both.second) + "  =  " + path_of(first.set.samples, both.first);
                  });
  }
  log.line(bad == 0 ? "all pictures and labels can be used" : fmt::format("{} files or labels cannot be used", bad));
  return bad == 0 ? 0 : static_cast<int>(ErrorKind::kData);
}

}  // namespace ghost
