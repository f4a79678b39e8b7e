// The config: what a run is told to do. Built-in defaults, then a YAML file, then key=value from the command line.
//
// Every key stands once, in config_keys.cpp, with its range, unit and meaning; reading, writing, checking,
// docs/config.md and "did you mean" all walk that list. A text that is empty means "not given" and is written as null.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ghost {

struct ModelConfig {
  std::string name = "ghostnet";
  double width = 1.0;
  std::string flavour = "torch";
  double dropout = 0.2;
  std::string weights;
  bool replace_head = false;
  std::string backbone_weights;
  // width, height of 9, by size
  std::array<double, 18> anchors{12, 16, 19, 36, 40, 28, 36, 75, 76, 55, 72, 146, 142, 110, 192, 243, 459, 401};
  bool operator==(const ModelConfig&) const = default;
};

struct DataConfig {
  std::string train, val;
  std::string format = "image_folder";
  std::string classes;
  int64_t workers = 2;
  std::string on_corrupt = "skip";
  std::string cache = "none";
  int64_t cache_limit_mb = 2048;
  bool operator==(const DataConfig&) const = default;
};

struct InputConfig {
  int64_t size = 224;
  std::array<double, 3> mean{0.485, 0.456, 0.406};
  std::array<double, 3> std{0.229, 0.224, 0.225};
  double crop_pct = 0.875;
  std::string interpolation = "bilinear";
  bool letterbox = true;
  bool operator==(const InputConfig&) const = default;
};

struct TrainConfig {
  int64_t epochs = 30;
  int64_t batch_size = 32;
  int64_t accumulate = 1;
  int64_t seed = 0;
  std::string precision = "fp32";
  double max_grad_norm = 0;
  int64_t threads = 0;
  std::string cuda_graph = "auto";
  int64_t freeze_epochs = 0;
  int64_t freeze_batch_size = 16;
  bool operator==(const TrainConfig&) const = default;
};

struct OptimizerConfig {
  std::string name = "sgd";
  double learning_rate = 0.05;
  double min_learning_rate = 0;
  double momentum = 0.9;
  bool nesterov = true;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 4e-5;
  bool scale_with_batch = false;
  bool operator==(const OptimizerConfig&) const = default;
};

struct ScheduleConfig {
  std::string name = "cosine";
  double warmup_epochs = 3;
  double warmup_start_factor = 0.1;
  std::vector<int64_t> step_epochs;
  double step_gamma = 0.1;
  int64_t no_aug_epochs = 0;
  bool operator==(const ScheduleConfig&) const = default;
};

struct AugmentConfig {
  std::array<double, 2> random_resized_crop{0.35, 1.0};
  std::array<double, 2> ratio{0.75, 1.3333333333333333};
  double flip = 0.5;
  double vertical_flip = 0;
  double color_jitter = 0.2;
  double hue = 0;
  int64_t rand_augment_ops = 0;
  double rand_augment_magnitude = 9;
  double random_erasing = 0;
  double mixup = 0;
  double cutmix = 0;
  double jitter = 0.3;
  std::array<double, 2> scale{0.25, 2.0};
  std::array<double, 3> hsv{0.1, 0.7, 0.4};
  double mosaic = 0.5;
  double mosaic_mixup = 0.5;
  double special_aug_ratio = 0.7;
  double min_box = 2;
  std::vector<int64_t> sizes;
  bool operator==(const AugmentConfig&) const = default;
};

struct LossConfig {
  double label_smoothing = 0.1;
  int64_t generation = 3;
  std::string box = "ciou";
  double ignore_threshold = 0.5;
  bool ignore_same_level = false;
  bool focal = false;
  std::array<double, 3> balance{0.4, 1.0, 4.0};
  double box_weight = 0.05, object_weight = 5, class_weight = 1;
  bool operator==(const LossConfig&) const = default;
};

struct EvaluateConfig {
  double score_threshold = 0.001;
  double iou_threshold = 0.5;
  int64_t max_detections = 100;
  bool operator==(const EvaluateConfig&) const = default;
};

struct EmaConfig {
  double decay = 0;
  bool operator==(const EmaConfig&) const = default;
};

struct CheckpointConfig {
  int64_t every_epochs = 1;
  double every_minutes = 10;
  int64_t keep = 3;
  bool operator==(const CheckpointConfig&) const = default;
};

struct Config {
  std::string task = "classify";
  ModelConfig model;
  DataConfig data;
  InputConfig input;
  TrainConfig train;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  AugmentConfig augment;
  LossConfig loss;
  EvaluateConfig evaluate;
  EmaConfig ema;
  CheckpointConfig checkpoint;
  std::string output = "runs";
  std::string run_name;
  std::string device = "auto";
  bool operator==(const Config&) const = default;
};

// The built-in defaults of a task, "classify" or "detect".
Config default_config(std::string_view task);

struct LoadedConfig {
  Config config;
  std::vector<std::string> warnings;  // old names, settings without effect: for the log
};

// A key that was renamed; both names dotted. The old one stays readable, with a warning.
struct RenamedKey {
  std::string_view old_name, new_name;
};
const std::vector<RenamedKey>& renamed_keys();

// Reads `path` (empty: defaults only), then applies `overrides` ("train.epochs=3", as join_overrides() makes them).
// Throws one kUsage Error that lists every problem, a line each: "train.yaml:12:3: unknown key ...". An unreadable file
// is a kUsage Error too. Relative paths of pictures, class files and weights are taken from the current folder, and
// where nothing lies there from the config file's folder; a path that exists is made absolute.
LoadedConfig load_config(const std::string& path, const std::vector<std::string>& overrides = {});

// The same for a text in memory. `source` stands in messages; `folder` is where relative paths are tried second.
struct ConfigSource {
  std::string text, source, folder;
};
LoadedConfig parse_config(const ConfigSource& source, const std::vector<std::string>& overrides = {},
                          const std::vector<RenamedKey>& renamed = renamed_keys());

// Joins what a shell cut: {"a.b", "=", "1", "c.d=[0.3,", "1]"} becomes {"a.b=1", "c.d=[0.3, 1]"}.
std::vector<std::string> join_overrides(const std::vector<std::string>& arguments);

// The whole config as YAML; parse_config reads it back to an equal Config.
std::string to_yaml(const Config& config);

// docs/config.md: every key with type, default, range, unit, task and meaning.
std::string config_markdown();

}  // namespace ghost
