#include "apps/check.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "apps/verbs.h"
#include "core/error.h"
#include "data/folder_report.h"
#include "train/config.h"
#include "train/log.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

struct CheckCall {
  std::string subject, against;
  std::vector<std::string> overrides;
};

struct Split {
  ImageFolder folder;
  FolderReport report;
};

// Returns the number of files that training would have to skip.
size_t print(Log& log, const Split& split) {
  const auto& [folder, report] = split;
  log.line(fmt::format("{}: {} pictures in {} classes, {} readable, sides {} to {} pixels, {} other files", folder.root,
                       folder.samples.size(), folder.classes.size(), report.readable, report.smallest_side,
                       report.largest_side, folder.other_files));
  for (size_t i = 0; i < folder.classes.size(); ++i)
    log.line(fmt::format("  {:>8}  {}", folder.counts[i], folder.classes[i]));
  list_problems(log, "unreadable", report.unreadable,
                [](const FolderReport::Problem& problem) { return problem.reason; });
  list_problems(log, "empty files", report.zero_byte, [&](int64_t sample) { return path_of(folder.samples, sample); });
  list_problems(log, "the same bytes", report.duplicates,
                [&](const auto& group) { return equal_paths(folder.samples, group); });
  list_problems(log, "the same bytes under different classes", report.conflicting,
                [&](const auto& group) { return equal_paths(folder.samples, group); });
  return report.unreadable.size() + report.zero_byte.size();
}

Split inspect(ImageFolder folder) {
  FolderReport report = inspect_folder(folder);
  return {std::move(folder), std::move(report)};
}

int run(const CheckCall& options) {
  Log log;
  std::string train = options.subject, val = options.against, classes;
  const std::string extension = fs::path(options.subject).extension().string();
  if (extension == ".yaml" || extension == ".yml") {
    const LoadedConfig loaded = load_config(options.subject, join_overrides(options.overrides));
    for (const std::string& warning : loaded.warnings) log.warn(warning);
    log.line(options.subject + ": the config is in order");
    train = loaded.config.data.train;
    val = loaded.config.data.val;
    classes = loaded.config.data.classes;
    GHOST_CHECK(!train.empty(), options.subject, ": data.train is not set, so there are no pictures to check");
    if (loaded.config.task == "detect") return check_boxes(log, loaded.config);
  }
  const Split first = inspect(open_training_folder(train, classes));
  size_t bad = print(log, first);
  if (!val.empty()) {
    const Split second = inspect(open_evaluation_folder(val, first.folder.classes));
    bad += print(log, second);
    list_problems(log, "pictures of " + val + " that are in " + train + " too", overlap(first.report, second.report),
                  [&](const std::pair<int64_t, int64_t>& both) {
                    return path_of(second.folder.samples, both.second) + "  =  " +
                           path_of(first.folder.samples, both.first);
                  });
  }
  log.line(bad == 0 ? "all pictures can be read" : fmt::format("{} files cannot be used", bad));
  return bad == 0 ? 0 : static_cast<int>(ErrorKind::kData);
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto options = std::make_shared<CheckCall>();
  CLI::App* verb = app.add_subcommand(
      "check", "Checks a config and its pictures, or a folder: ghosttrain check CONFIG.yaml|FOLDER; changes nothing");
  verb->add_option("subject", options->subject, "YAML config, or a folder with one folder per class")->required();
  verb->add_option("overrides", options->overrides, "key=value for a config");
  verb->add_option("--val", options->against, "with a folder: the validation folder, to look for pictures in both");
  verb->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace ghost
