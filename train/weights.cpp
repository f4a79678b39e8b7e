#include "train/weights.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/optimizer_step.h"

namespace ghost {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kCard = "ghosttrain.card";

constexpr std::string_view kBackbone = "backbone.model.";

// A name of a file as a module without `keep_backbone` has it.
std::string plain_name(std::string name, bool keep_backbone) {
  if (name.starts_with("module.")) name.erase(0, 7);
  if (!keep_backbone && name.starts_with(kBackbone)) name.erase(0, kBackbone.size());
  return name;
}

bool ignored(const std::string& name) { return name.ends_with("num_batches_tracked"); }
// Whether a tensor's shape depends on the number of classes.
bool is_head(const std::string& name) {
  return name.starts_with("classifier.") || (name.starts_with("yolo_head") && name.find(".1.") == 10);
}
int64_t classes_of_head(const std::string& name, int64_t rows) {
  return name.starts_with("yolo_head") ? rows / 3 - 5 : rows;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < 6; ++i) text += (i ? ", " : "") + names[i];
  return names.size() > 6 ? text + ", ..." : text;
}

// A card for a file that has none: timm's ghostnet, its width and class count from the shapes.
ModelCard card_from_shapes(const SafetensorsReader& file, const std::string& prefix) {
  ModelCard card;
  card.input.interpolation = "bicubic";  // as timm evaluates its ghostnet_100
  const std::string stem = prefix + "conv_stem.weight", head = prefix + "classifier.weight";
  GHOST_CHECK_AS(
      kWeights, file.has(stem) && file.has(head), file.path(),
      ": has no card of Ghosttrain and no tensors 'conv_stem.weight' and 'classifier.weight', so it is not a GhostNet "
      "classifier of timm's names either");
  const int64_t channels = file.shape(stem)[0], classes = file.shape(head)[0];
  for (const double width : {0.5, 1.0, 1.3})
    if (channels == make_divisible(16 * width, 4)) card.model.width = width;
  for (int64_t i = 0; i < classes; ++i) card.classes.push_back("class " + std::to_string(i));
  return card;
}

std::string resolve(const std::string& path) {
  GHOST_CHECK_AS(kWeights, fs::exists(path), path, ": there is no such file or run folder");
  if (!fs::is_directory(path)) return path;
  for (const char* name : {"best.safetensors", "last.safetensors"}) {
    const fs::path file = fs::path(path) / "checkpoints" / name;
    if (fs::exists(file)) return file.string();
  }
  GHOST_FAIL(kWeights, path,
             ": no checkpoints/best.safetensors or last.safetensors in this folder; it is not a run folder, or "
             "the run has not saved yet");
}

void check_read_back(const std::string& file, const std::vector<NamedTensor>& tensors, const std::string& path) {
  const SafetensorsReader reader(file);
  for (const NamedTensor& tensor : tensors)
    GHOST_CHECK_AS(kDisk, reader.read(tensor.name).to_vector() == tensor.tensor.to_vector(), path, ": tensor '",
                   tensor.name, "' does not read back as it was written; the disk may be failing");
}

}  // namespace

std::map<std::string, std::string> to_metadata(const ModelCard& card) {
  const Json json = {{"task", card.task},
                     {"model",
                      {{"name", card.model.name},
                       {"width", card.model.width},
                       {"flavour", card.model.flavour},
                       {"dropout", card.model.dropout},
                       {"anchors", card.model.anchors}}},
                     {"input",
                      {{"size", card.input.size},
                       {"mean", card.input.mean},
                       {"std", card.input.std},
                       {"channels", "RGB"},
                       {"crop_pct", card.input.crop_pct},
                       {"letterbox", card.input.letterbox},
                       {"interpolation", card.input.interpolation}}},
                     {"classes", card.classes}};
  return {{kCard, json.dump()}, {"format", "pt"}};
}

ModelCard card_of(const SafetensorsReader& file) {
  const auto found = file.metadata().find(kCard);
  GHOST_CHECK_AS(kWeights, found != file.metadata().end(), file.path(),
                 ": has no card of Ghosttrain (model, classes, preprocessing)");
  try {
    const Json json = Json::parse(found->second);
    ModelCard card;
    const Json &model = json.at("model"), &input = json.at("input");
    card.task = json.value("task", card.task);
    card.model.name = model.at("name");
    card.model.width = model.at("width");
    card.model.flavour = model.at("flavour");
    card.model.dropout = model.at("dropout");
    card.model.anchors = model.value("anchors", card.model.anchors);
    card.input.size = input.at("size");
    card.input.mean = input.at("mean");
    card.input.std = input.at("std");
    card.input.crop_pct = input.at("crop_pct");
    card.input.interpolation = input.at("interpolation");
    card.input.letterbox = input.value("letterbox", card.input.letterbox);
    card.classes = json.at("classes").get<std::vector<std::string>>();
    return card;
  } catch (const Json::exception& error) {
    GHOST_FAIL(kWeights, file.path(), ": its card is damaged (", error.what(), ")");
  }
}

std::unique_ptr<Classifier> make_model(const ModelCard& card, uint64_t seed) {
  return make_model(ModelOptions{.name = card.model.name,
                                 .width = card.model.width,
                                 .num_classes = static_cast<int64_t>(card.classes.size()),
                                 .dropout = card.model.dropout,
                                 .flavour = flavour_from_name(card.model.flavour),
                                 .seed = seed});
}

std::unique_ptr<Detector> make_detector(const ModelCard& card, uint64_t seed) {
  return make_detector(DetectorOptions{.name = card.model.name,
                                       .width = card.model.width,
                                       .num_classes = static_cast<int64_t>(card.classes.size()),
                                       .flavour = flavour_from_name(card.model.flavour),
                                       .seed = seed});
}

std::string LoadReport::summary() const {
  std::string text = str(loaded.size(), " tensors loaded");
  if (!skipped.empty()) text += str(", ", skipped.size(), " skipped (", listed(skipped), ")");
  if (!missing.empty()) text += str(", ", missing.size(), " missing (", listed(missing), ")");
  return text;
}

std::string weights_prefix(const SafetensorsReader& file) {
  for (const std::string prefix : {"ema.", "model."})
    for (const std::string& name : file.names())
      if (name.starts_with(prefix)) return prefix;
  return "";
}

std::vector<NamedTensor> with_prefix(const std::string& prefix, std::vector<NamedTensor> tensors) {
  for (NamedTensor& tensor : tensors) tensor.name.insert(0, prefix);
  return tensors;
}

namespace {

struct LoadRules {
  std::string prefix;          // of the file's names
  bool keep_backbone = false;  // targets are a whole detector's
  bool replace_head = false;
};

// A linear layer's {o, i} is a 1x1 convolution's {o, i, 1, 1}: MobileNet v3's originals gate with the former.
bool fits_into(const Shape& stored, const Shape& target) {
  return stored == target || (stored.rank() == 2 && target == Shape({stored[0], stored[1], 1, 1}));
}

LoadReport load_into(const std::vector<NamedTensor>& targets, const SafetensorsReader& file, const LoadRules& rules) {
  std::map<std::string, std::string> stored;  // plain name -> name in the file
  for (const std::string& name : file.names())
    if (name.starts_with(rules.prefix) && !ignored(name))
      stored[plain_name(name.substr(rules.prefix.size()), rules.keep_backbone)] = name;

  LoadReport report;
  std::vector<std::pair<Tensor, std::string>> copies;
  for (const NamedTensor& target : targets) {
    const auto found = stored.find(target.name);
    if (found == stored.end()) {
      report.missing.push_back(target.name);
      continue;
    }
    const Shape shape = file.shape(found->second);
    const bool fits = fits_into(shape, target.tensor.shape());
    if (!fits && is_head(target.name) && rules.replace_head) {
      report.skipped.push_back(target.name);
    } else {
      GHOST_CHECK_AS(kWeights, fits || !is_head(target.name), file.path(), ": '", found->second, "' is for ",
                     classes_of_head(target.name, shape[0]), " classes, this data set has ",
                     classes_of_head(target.name, target.tensor.dim(0)),
                     "; model.replace_head=true keeps all other weights and starts that layer anew");
      GHOST_CHECK_AS(kWeights, fits, file.path(), ": '", found->second, "' has shape ", shape, ", the model needs ",
                     target.tensor.shape(), "; check model.name and model.width");
      copies.emplace_back(target.tensor, found->second);
      report.loaded.push_back(target.name);
    }
    stored.erase(found);
  }
  for (const auto& [name, file_name] : stored) report.skipped.push_back(name);
  const auto needed = [&](const std::string& name) { return !(rules.replace_head && is_head(name)); };
  GHOST_CHECK_AS(kWeights, std::none_of(report.missing.begin(), report.missing.end(), needed), file.path(), ": ",
                 report.summary(), "; the file does not hold this network");
  for (const auto& [target, name] : copies)
    target.copy_from(file.read(name).reshape(target.shape()).to(target.dtype()).to(target.device()));
  return report;
}

}  // namespace

LoadReport load_weights(Module& module, const SafetensorsReader& file, const std::string& prefix, bool replace_head) {
  const std::vector<NamedTensor> targets = module.state();
  const bool detector = targets.front().name.starts_with(kBackbone);
  return load_into(targets, file, {.prefix = prefix, .keep_backbone = detector, .replace_head = replace_head});
}

LoadReport load_backbone_weights(Detector& detector, const SafetensorsReader& file, const std::string& prefix) {
  std::vector<NamedTensor> targets;
  for (NamedTensor& tensor : detector.state())
    if (tensor.name.starts_with(kBackbone)) targets.push_back({tensor.name.substr(kBackbone.size()), tensor.tensor});
  return load_into(targets, file, {.prefix = prefix});
}

void require_all_finite(const std::vector<NamedTensor>& tensors, const std::string& path) {
  for (const auto& [name, tensor] : tensors)
    GHOST_CHECK_AS(kNonFinite, std::isfinite(global_norm({tensor})), "'", name,
                   "' is not finite: the training has diverged. ", path,
                   " was not written; lower optimizer.learning_rate or set train.max_grad_norm");
}

void save_weights(const std::string& path, Module& module, const ModelCard& card) {
  const std::vector<NamedTensor> tensors = module.state();
  require_all_finite(tensors, path);
  write_safetensors(path, tensors, to_metadata(card),
                    [&](const std::string& file) { check_read_back(file, tensors, path); });
}

std::string task_of(const std::string& path) {
  const SafetensorsReader file(resolve(path));
  return file.metadata().contains(kCard) ? card_of(file).task : "classify";
}

namespace {

template <class Model>
Loaded<Model> load_as(const std::string& task, const std::string& path, const Device& device,
                      std::unique_ptr<Model> (*make)(const ModelCard& card, uint64_t seed)) {
  const auto who = [](bool detect) { return detect ? "a detector's" : "a classifier's"; };
  Loaded<Model> loaded;
  loaded.path = resolve(path);
  const SafetensorsReader file(loaded.path);
  const std::string prefix = weights_prefix(file);
  const bool detect = task == "detect", has_card = file.metadata().contains(kCard);
  loaded.card = has_card || detect ? card_of(file) : card_from_shapes(file, prefix);
  GHOST_CHECK_AS(kWeights, loaded.card.task == task, loaded.path, ": these are ", who(!detect), " weights (",
                 loaded.card.model.name, "), ", who(detect), " are needed");
  loaded.model = make(loaded.card, 0);
  loaded.model->to(device);
  load_weights(*loaded.model, file, prefix, false);
  loaded.model->set_training(false);
  return loaded;
}

}  // namespace

LoadedModel load_model(const std::string& path, const Device& device) {
  return load_as<Classifier>("classify", path, device, make_model);
}

LoadedDetector load_detector(const std::string& path, const Device& device) {
  return load_as<Detector>("detect", path, device, make_detector);
}

}  // namespace ghost
