#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "apps/verbs.h"
#include "train/log.h"
#include "train/weights.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string subject;
  std::vector<std::string> overrides;
  int64_t size = 0, classes = 0, batch = 1;
  bool list = false;
};

struct Subject {
  ModelCard card;
  std::unique_ptr<Module> model;
  std::vector<LayerRecord> layers;
};

std::vector<std::string> all_names() {
  std::vector<std::string> names = model_names();
  for (std::string& name : detector_names()) names.push_back(std::move(name));
  return names;
}

template <class Model>
void take(Subject& subject, std::unique_ptr<Model> model) {
  subject.layers = trace_layers(*model, subject.card.input.size);
  subject.model = std::move(model);
}

// A card for a model's name or a config.
ModelCard configured_card(const Options& options, bool is_name) {
  std::vector<std::string> overrides = join_overrides(options.overrides);
  if (is_name) {
    overrides.push_back("model.name=" + options.subject);
    if (options.subject.ends_with("-yolov4")) overrides.emplace_back("task=detect");
  }
  const Config config = load_config(is_name ? "" : options.subject, overrides).config;
  const int64_t classes = options.classes ? options.classes : config.task == "detect" ? 20 : 1000;
  return {config.model, config.input, std::vector<std::string>(static_cast<size_t>(classes), "class"), config.task};
}

// A model's name, a config, or weights.
Subject open_subject(const Options& options) {
  const std::vector<std::string> names = all_names();
  const bool is_name = std::find(names.begin(), names.end(), options.subject) != names.end();
  const std::string extension = fs::path(options.subject).extension().string();
  const bool configured = is_name || extension == ".yaml" || extension == ".yml";
  Subject subject;
  if (configured) subject.card = configured_card(options, is_name);
  const bool detect = configured ? subject.card.task == "detect" : task_of(options.subject) == "detect";
  const auto with_size = [&](const ModelCard& card) {
    subject.card = card;
    if (options.size > 0) subject.card.input.size = options.size;
  };
  if (configured) {
    with_size(subject.card);
    detect ? take(subject, make_detector(subject.card, 0)) : take(subject, make_model(subject.card, 0));
  } else if (detect) {
    LoadedDetector loaded = load_detector(options.subject, Device::cpu());
    with_size(loaded.card);
    take(subject, std::move(loaded.model));
  } else {
    LoadedModel loaded = load_model(options.subject, Device::cpu());
    with_size(loaded.card);
    take(subject, std::move(loaded.model));
  }
  return subject;
}

int run(const Options& options) {
  Log log;
  if (options.list) {
    for (const std::string& name : all_names()) log.line(name);
    return 0;
  }
  GHOST_CHECK(!options.subject.empty(), "info needs a model, a config or weights; --list names all models");
  const Subject subject = open_subject(options);
  const int64_t size = subject.card.input.size;
  const std::vector<LayerRecord>& layers = subject.layers;
  int64_t activations = 0;
  log.line(fmt::format("{:<40} {:<36} {:<20} {:>10} {:>12}", "layer", "kind", "output", "parameters", "MACs"));
  for (const LayerRecord& layer : layers) {
    log.line(fmt::format("{:<40} {:<36} {:<20} {:>10} {:>12}", layer.name, layer.kind, str(layer.output),
                         layer.parameters, layer.macs));
    if (layer.macs > 0) activations += layer.output.numel();
  }
  const ModelConfig& model = subject.card.model;
  log.line(fmt::format("{} width {}, {}, {} classes, input {}x{}: {} parameters, {} MACs", model.name, model.width,
                       model.flavour, subject.card.classes.size(), size, size, subject.model->parameter_count(),
                       total_macs(layers)));
  log.line(
      fmt::format("activations saved for training: {:.1f} MB for a batch of {} (one raw map per convolution, float32)",
                  static_cast<double>(activations * 4 * options.batch) / 1e6, options.batch));
  return 0;
}

}  // namespace

void add_info(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("info", "Shows a network layer by layer: ghosttrain info MODEL|CONFIG|WEIGHTS");
  verb->add_option("subject", options->subject, "a model's name, a .yaml config, a run folder or .safetensors");
  verb->add_option("overrides", options->overrides, "key=value: model.width=0.5");
  verb->add_option("--size", options->size, "height and width of the input; 0: as configured");
  verb->add_option("--classes", options->classes, "class count where nothing else tells; default 1000, detectors 20");
  verb->add_option("--batch", options->batch, "batch size for the memory figure")->check(CLI::Range(1, 65536));
  verb->add_flag("--list", options->list, "name all models");
  verb->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace ghost
