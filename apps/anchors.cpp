#include "data/anchors.h"

#include <fmt/format.h>

#include <memory>

#include "apps/verbs.h"
#include "train/config.h"
#include "train/detect_data.h"
#include "train/log.h"

namespace ghost {
namespace {

struct AnchorsCall {
  std::string config;
  std::vector<std::string> overrides;
};

int run(const AnchorsCall& options) {
  std::vector<std::string> overrides = join_overrides(options.overrides);
  overrides.insert(overrides.begin(), "task=detect");
  const Config config = load_config(options.config, overrides).config;
  GHOST_CHECK(!config.data.train.empty(), "anchors needs boxes: data.train=DATA, with data.format=voc|coco|yolo");
  const int size = static_cast<int>(config.input.size);
  const DetectionSet set = open_detection_set({.source = config.data.train,
                                               .format = detection_format_from_name(config.data.format),
                                               .class_file = config.data.classes,
                                               .classes = {},
                                               .skip_bad = config.data.on_corrupt == "skip"});
  const AnchorResult result = cluster_anchors(set, {.input_width = size,
                                                    .input_height = size,
                                                    .keep_ratio = config.input.letterbox,
                                                    .before = anchors_of(config.model),
                                                    .seed = static_cast<uint64_t>(config.train.seed)});
  Log log;
  std::string line = "model.anchors=[";
  for (size_t i = 0; i < result.anchors.size(); ++i) {
    const Anchor& anchor = result.anchors[i];
    log.line(fmt::format("{:>7.1f} x {:<7.1f} {:>8} boxes", anchor[0], anchor[1], result.boxes[i]));
    line += fmt::format("{}{:.0f}, {:.0f}", i ? ", " : "", anchor[0], anchor[1]);
  }
  log.line(fmt::format("mean IoU with the best anchor at {0}x{0}: {1:.4f}, with the configured ones {2:.4f}", size,
                       result.after, result.before));
  log.line(line + "]");
  return 0;
}

}  // namespace

void add_anchors(CLI::App& app, Action& action) {
  auto options = std::make_shared<AnchorsCall>();
  CLI::App* verb = app.add_subcommand(
      "anchors", "Clusters a detection set's boxes into 9 anchors: ghosttrain anchors CONFIG.yaml [key=value ...]");
  verb->add_option("config", options->config, "YAML config of a detector")->required();
  verb->add_option("overrides", options->overrides, "key=value: data.train=DATA");
  verb->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace ghost
