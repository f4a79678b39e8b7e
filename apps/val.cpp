#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/options.h"
#include "apps/verbs.h"
#include "train/classify_data.h"
#include "train/config.h"
#include "train/evaluate.h"
#include "train/log.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string weights, json;
  std::vector<std::string> overrides;
  int64_t batch_size = 0;
  int workers = 2;
  DeviceOptions device;
};

// The run's own validation folder and batch size where the weights lie in a run folder; key=value changes them.
Config config_of(const Options& options) {
  const fs::path given = options.weights;
  const fs::path folder = fs::is_directory(given) ? given : given.parent_path().parent_path();
  const fs::path path = folder / "config.yaml";
  return load_config(fs::exists(path) ? path.string() : "", join_overrides(options.overrides)).config;
}

void print(const ClassifierMetrics& metrics, const std::vector<std::string>& classes) {
  Log log;
  log.line(fmt::format("{:<24} {:>8} {:>8}", "class", "pictures", "top-1"));
  for (int64_t truth = 0; truth < metrics.classes; ++truth) {
    int64_t count = 0;
    for (int64_t guess = 0; guess < metrics.classes; ++guess) count += metrics.confused(truth, guess);
    if (count == 0) continue;
    const double share = static_cast<double>(metrics.confused(truth, truth)) / static_cast<double>(count);
    log.line(fmt::format("{:<24} {:>8} {:>7.2f}%", classes[static_cast<size_t>(truth)], count, 100 * share));
  }
  log.line(fmt::format("{:<24} {:>8} {:>7.2f}%   top-5 {:.2f}%   loss {:.4f}   {:.0f} images/s", "all", metrics.count,
                       100 * metrics.top1, 100 * metrics.top5, metrics.loss,
                       static_cast<double>(metrics.count) / metrics.seconds));
  if (metrics.skipped > 0) log.warn(fmt::format("{} unreadable pictures were left out", metrics.skipped));
}

int run(const Options& options) {
  const Config config = config_of(options);
  const Device device = apply(options.device);
  const LoadedModel loaded = load_model(options.weights, device);
  GHOST_CHECK(!config.data.val.empty(), "val needs pictures: data.val=FOLDER (one folder per class)");
  const int64_t batch_size = options.batch_size > 0 ? options.batch_size : config.train.batch_size;
  const auto loader =
      evaluation_loader({config.data.val, batch_size, options.workers, config.data.on_corrupt == "skip"}, loaded.card);
  const ClassifierMetrics metrics = evaluate_classifier(*loaded.model, *loader, device);
  print(metrics, loaded.card.classes);
  if (!options.json.empty()) {
    const nlohmann::json json = {{"weights", loaded.path},         {"data", config.data.val},
                                 {"count", metrics.count},         {"loss", metrics.loss},
                                 {"top1", metrics.top1},           {"top5", metrics.top5},
                                 {"classes", loaded.card.classes}, {"confusion", metrics.confusion}};
    std::ofstream out(options.json);
    out << json.dump(2) << '\n';
    GHOST_CHECK_AS(kDisk, out.flush().good(), options.json, ": cannot be written");
  }
  return 0;
}

}  // namespace

void add_val(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("val", "Evaluates weights: ghosttrain val RUN_FOLDER|WEIGHTS [data.val=FOLDER]");
  verb->add_option("weights", options->weights, "run folder or .safetensors")->required();
  verb->add_option("overrides", options->overrides, "key=value: data.val=FOLDER");
  verb->add_option("--batch-size", options->batch_size, "pictures at a time; 0: as the run had it");
  verb->add_option("--workers", options->workers, "loader threads")->check(CLI::Range(0, 256))->capture_default_str();
  verb->add_option("--json", options->json, "also write the figures to this file");
  add_device_options(*verb, options->device);
  verb->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace ghost
