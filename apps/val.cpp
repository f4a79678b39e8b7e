#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/options.h"
#include "apps/verbs.h"
#include "core/atomic_file.h"
#include "data/new_folder.h"
#include "train/classify_data.h"
#include "train/config.h"
#include "train/detect_data.h"
#include "train/detect_evaluate.h"
#include "train/evaluate.h"
#include "train/log.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

struct ValCall {
  std::string weights, json, plots;
  std::vector<std::string> overrides;
  int64_t batch_size = 0;
  int workers = 2;
  DeviceOptions device;
};

// The run's own validation folder and batch size where the weights lie in a run folder; key=value changes them.
Config config_of(const ValCall& options, const std::string& task) {
  const fs::path given = options.weights;
  const fs::path folder = fs::is_directory(given) ? given : given.parent_path().parent_path();
  const fs::path path = folder / "config.yaml";
  std::vector<std::string> overrides = join_overrides(options.overrides);
  overrides.insert(overrides.begin(), "task=" + task);
  return load_config(fs::exists(path) ? path.string() : "", overrides).config;
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

void write_json(const std::string& path, const nlohmann::json& json) {
  if (!path.empty())
    write_file_atomically(path, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n');
}

void write_plots(const std::string& folder, const std::vector<NamedText>& plots) {
  if (folder.empty()) return;
  make_folder(folder);
  for (const auto& [name, text] : plots) write_file_atomically((fs::path(folder) / name).string(), text);
}

int64_t batch_size_of(const ValCall& options, const Config& config) {
  return options.batch_size > 0 ? options.batch_size : config.train.batch_size;
}

int run_classifier(const ValCall& options, const Config& config, const Device& device) {
  const LoadedModel loaded = load_model(options.weights, device);
  const auto loader = evaluation_loader(
      {config.data.val, batch_size_of(options, config), options.workers, config.data.on_corrupt == "skip"},
      loaded.card);
  const ClassifierMetrics metrics = evaluate_classifier(*loaded.model, *loader, device);
  print(metrics, loaded.card.classes);
  write_plots(options.plots, plots_of(metrics, loaded.card.classes));
  write_json(options.json, {{"weights", loaded.path},
                            {"data", config.data.val},
                            {"count", metrics.count},
                            {"loss", metrics.loss},
                            {"top1", metrics.top1},
                            {"top5", metrics.top5},
                            {"classes", loaded.card.classes},
                            {"confusion", metrics.confusion}});
  return 0;
}

int run_detector(const ValCall& options, const Config& config, const Device& device) {
  const LoadedDetector loaded = load_detector(options.weights, device);
  const auto loader = detection_evaluation_loader({config.data.val, config.data.format, batch_size_of(options, config),
                                                   options.workers, config.data.on_corrupt == "skip"},
                                                  loaded.card);
  const DetectorMetrics metrics =
      evaluate_detector(*loaded.model, *loader, decode_options_of(config.evaluate, loaded.card), device);
  Log log;
  for (const std::string& line : metrics_table(metrics, loaded.card.classes)) log.line(line);
  log.line(fmt::format(
      "precision and recall at score {:.3f}, where F1 is highest ({:.3f}); VOC AP {:.4f} (11 points {:.4f})",
      metrics.best.score, metrics.best.f1, metrics.voc_ap, metrics.voc_ap11));
  log.line(fmt::format("{} pictures, {:.0f} images/s", metrics.pictures,
                       static_cast<double>(metrics.pictures) / metrics.seconds));
  if (metrics.skipped > 0) log.warn(fmt::format("{} unreadable pictures were left out", metrics.skipped));
  write_plots(options.plots, plots_of(metrics, loaded.card.classes));
  write_json(options.json, {{"weights", loaded.path},
                            {"data", config.data.val},
                            {"pictures", metrics.pictures},
                            {"boxes", metrics.boxes},
                            {"map50_95", metrics.coco.ap},
                            {"map50", metrics.coco.ap50},
                            {"map75", metrics.coco.ap75},
                            {"voc_map", metrics.voc_ap},
                            {"voc_map_11", metrics.voc_ap11},
                            {"precision", metrics.best.precision},
                            {"recall", metrics.best.recall},
                            {"f1", metrics.best.f1},
                            {"score", metrics.best.score},
                            {"classes", loaded.card.classes},
                            {"class_map50", metrics.coco.class_ap50},
                            {"class_map50_95", metrics.coco.class_ap},
                            {"confusion", metrics.confusion}});
  return 0;
}

int run(const ValCall& options) {
  const bool detect = task_of(options.weights) == "detect";
  const Config config = config_of(options, detect ? "detect" : "classify");
  const Device device = apply(options.device);
  GHOST_CHECK(!config.data.val.empty(), "val needs pictures: data.val=",
              detect ? "DATA, with data.format=voc|coco|yolo" : "FOLDER (one folder per class)");
  return detect ? run_detector(options, config, device) : run_classifier(options, config, device);
}

}  // namespace

void add_val(CLI::App& app, Action& action) {
  auto options = std::make_shared<ValCall>();
  CLI::App* verb = app.add_subcommand("val", "Evaluates weights: ghosttrain val RUN_FOLDER|WEIGHTS [data.val=FOLDER]");
  verb->add_option("weights", options->weights, "run folder or .safetensors")->required();
  verb->add_option("overrides", options->overrides, "key=value: data.val=FOLDER");
  verb->add_option("--batch-size", options->batch_size, "pictures at a time; 0: as the run had it");
  verb->add_option("--workers", options->workers, "loader threads")->check(CLI::Range(0, 256))->capture_default_str();
  verb->add_option("--json", options->json, "also write the figures to this file");
  verb->add_option("--plots", options->plots, "also draw confusion.svg, and a detector's pr.svg, into this folder");
  add_device_options(*verb, options->device);
  verb->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace ghost
