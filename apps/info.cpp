#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "apps/info_plan.h"
#include "apps/verbs.h"
#include "train/log.h"
#include "train/weights.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

struct InfoCall {
  std::string subject, device, mode = "train";
  std::vector<std::string> overrides;
  int64_t size = 0, classes = 0, batch = 0;
  bool list = false, json = false;
};

// One of the two networks is there.
struct Subject {
  Config config;
  ModelCard card;
  std::unique_ptr<Classifier> classifier;
  std::unique_ptr<Detector> detector;

  Module& module() const {
    if (classifier) return *classifier;
    return *detector;
  }
  std::vector<LayerRecord> layers() const {
    return classifier ? trace_layers(*classifier, card.input.size) : trace_layers(*detector, card.input.size);
  }
};

std::vector<std::string> all_names() {
  std::vector<std::string> names = model_names();
  for (std::string& name : detector_names()) names.push_back(std::move(name));
  return names;
}

// For a model's name or a config.
Subject configured_subject(const InfoCall& options, bool is_name) {
  std::vector<std::string> overrides = join_overrides(options.overrides);
  if (is_name) {
    overrides.push_back("model.name=" + options.subject);
    if (names_detector(options.subject)) overrides.emplace_back("task=detect");
  }
  Subject subject;
  subject.config = load_config(is_name ? "" : options.subject, overrides).config;
  const Config& config = subject.config;
  const int64_t classes = options.classes ? options.classes : config.task == "detect" ? 20 : 1000;
  subject.card = {config.model, config.input, std::vector<std::string>(static_cast<size_t>(classes), "class"),
                  config.task};
  if (config.task == "detect")
    subject.detector = make_detector(subject.card, 0);
  else
    subject.classifier = make_model(subject.card, 0);
  return subject;
}

template <class Model>
Subject loaded_subject(Loaded<Model> loaded, std::unique_ptr<Model> Subject::*model) {
  Subject subject;
  subject.config = default_config(loaded.card.task);
  subject.card = loaded.card;
  subject.*model = std::move(loaded.model);
  return subject;
}

// A model's name, a config, or weights.
Subject open_subject(const InfoCall& options) {
  const std::vector<std::string> names = all_names();
  const bool is_name = std::find(names.begin(), names.end(), options.subject) != names.end();
  const std::string extension = fs::path(options.subject).extension().string();
  Subject subject;
  if (is_name || extension == ".yaml" || extension == ".yml")
    subject = configured_subject(options, is_name);
  else if (task_of(options.subject) == "detect")
    subject = loaded_subject(load_detector(options.subject, Device::cpu()), &Subject::detector);
  else
    subject = loaded_subject(load_model(options.subject, Device::cpu()), &Subject::classifier);
  if (options.size > 0) subject.card.input.size = options.size;
  return subject;
}

std::string summary_of(const Subject& subject) {
  const ModelConfig& model = subject.card.model;
  const int64_t size = subject.card.input.size;
  return fmt::format("{} width {}, {}, {} classes, input {}x{}: {} parameters", model.name, model.width, model.flavour,
                     subject.card.classes.size(), size, size, subject.module().parameter_count());
}

void print_json(const nlohmann::ordered_json& json) { std::printf("%s\n", json.dump(2).c_str()); }

nlohmann::ordered_json subject_json(const Subject& subject) {
  const ModelCard& card = subject.card;
  return {{"model", card.model.name},      {"width", card.model.width},
          {"flavour", card.model.flavour}, {"classes", card.classes.size()},
          {"size", card.input.size},       {"parameters", subject.module().parameter_count()}};
}

void print_layers(Log& log, const Subject& subject, int64_t batch) {
  const std::vector<LayerRecord> layers = subject.layers();
  int64_t activations = 0;
  log.line(fmt::format("{:<40} {:<36} {:<20} {:>10} {:>12}", "layer", "kind", "output", "parameters", "MACs"));
  for (const LayerRecord& layer : layers) {
    log.line(fmt::format("{:<40} {:<36} {:<20} {:>10} {:>12}", layer.name, layer.kind, str(layer.output),
                         layer.parameters, layer.macs));
    if (layer.macs > 0) activations += layer.output.numel();
  }
  log.line(fmt::format("{}, {} MACs", summary_of(subject), total_macs(layers)));
  log.line(
      fmt::format("activations saved for training: {:.1f} MB for a batch of {} (one raw map per convolution, float32)",
                  static_cast<double>(activations * 4 * batch) / 1e6, batch));
}

void print_layers_json(const Subject& subject) {
  nlohmann::ordered_json json = subject_json(subject);
  const std::vector<LayerRecord> layers = subject.layers();
  json["macs"] = total_macs(layers);
  json["layers"] = nlohmann::ordered_json::array();
  for (const LayerRecord& layer : layers) {
    std::vector<int64_t> output;
    for (int axis = 0; axis < layer.output.rank(); ++axis) output.push_back(layer.output[axis]);
    json["layers"].push_back({{"name", layer.name},
                              {"kind", layer.kind},
                              {"output", output},
                              {"parameters", layer.parameters},
                              {"macs", layer.macs}});
  }
  print_json(json);
}

int show_plan(const InfoCall& options, const Subject& subject) {
  const bool training = options.mode == "train";
  Config config = subject.config;
  if (!training) config.train.precision = "fp32";  // as an evaluation is
  const GpuPlanOptions how{.config = config,
                           .training = training,
                           .batch_size = options.batch ? options.batch : config.train.batch_size,
                           .gpu = load_gpu(options.device, config.train.precision)};
  const GpuPlan plan = subject.classifier ? plan_gpu(*subject.classifier, subject.card, how)
                                          : plan_gpu(*subject.detector, subject.card, how);
  if (options.json) {
    nlohmann::ordered_json json = subject_json(subject);
    json.update(plan_json(plan, how));
    print_json(json);
    return 0;
  }
  Log log;
  log.line(summary_of(subject));
  print_plan(log, plan, how);
  return 0;
}

int run(const InfoCall& options) {
  Log log;
  if (options.list) {
    for (const std::string& name : all_names()) log.line(name);
    return 0;
  }
  if (options.subject.empty() && !options.device.empty()) {
    log.line(std::string(gpu_json(options.device)));
    return 0;
  }
  GHOST_CHECK(!options.subject.empty(), "info needs a model, a config or weights; --list names all models");
  const Subject subject = open_subject(options);
  if (!options.device.empty()) return show_plan(options, subject);
  if (options.json)
    print_layers_json(subject);
  else
    print_layers(log, subject, std::max<int64_t>(options.batch, 1));
  return 0;
}

}  // namespace

void add_info(CLI::App& app, Action& action) {
  auto options = std::make_shared<InfoCall>();
  CLI::App* verb = app.add_subcommand("info",
                                      "Shows a network layer by layer, or its step on a GPU that need not be there: "
                                      "ghosttrain info MODEL|CONFIG|WEIGHTS [--device h100]");
  verb->add_option("subject", options->subject, "a model's name, a .yaml config, a run folder or .safetensors");
  verb->add_option("overrides", options->overrides, "key=value: model.width=0.5");
  verb->add_option(
      "--device", options->device,
      "h100, a100, rtx4090, rtx5090 or a description FILE.json: launches, bytes, memory and floor of a step "
      "there, computed, not measured; without a model: print the description");
  verb->add_option("--mode", options->mode, "with --device: train or infer")
      ->check(CLI::IsMember({"train", "infer"}))
      ->capture_default_str();
  verb->add_option("--size", options->size, "height and width of the input; 0: as configured");
  verb->add_option("--classes", options->classes, "class count where nothing else tells; default 1000, detectors 20");
  verb->add_option("--batch-size,--batch", options->batch,
                   "pictures of a step; default 1, with --device train.batch_size")
      ->check(CLI::Range(1, 65536));
  verb->add_flag("--list", options->list, "name all models");
  verb->add_flag("--json", options->json, "print JSON");
  verb->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace ghost
