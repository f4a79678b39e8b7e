#include "layers/models/model.h"

#include <algorithm>

#include "layers/initialise.h"
#include "layers/layer_scope.h"
#include "layers/models/backbone.h"
#include "layers/models/ghostnet.h"
#include "layers/models/mobilenet.h"

namespace ghost {
namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Classifier> (*make)(const ModelOptions& options);
};

template <class Model>
std::unique_ptr<Classifier> make(const ModelOptions& options) {
  return std::make_unique<Model>(options);
}

constexpr Entry kModels[] = {
    {"ghostnet", make<GhostNet>},
    {"mobilenetv1", make<MobileNet>},
    {"mobilenetv2", make<MobileNet>},
    {"mobilenetv3", make<MobileNet>},
};

}  // namespace

std::string_view name_of(Flavour flavour) { return flavour == Flavour::kTorch ? "torch" : "keras"; }

Flavour flavour_from_name(std::string_view name) {
  if (name == "torch") return Flavour::kTorch;
  GHOST_CHECK(name == "keras", "unknown flavour '", name, "'; use torch or keras");
  return Flavour::kKeras;
}

FlavourNumbers numbers_of(Flavour flavour) {
  if (flavour == Flavour::kTorch) return {};
  return {
      .padding = PaddingMode::kSame, .gate = Activation::kHardSigmoidKeras, .norm = {.eps = 1e-3, .momentum = 0.01}};
}

Classifier::Classifier(const ModelOptions& options) : options_(options) {
  GHOST_CHECK(options.width > 0 && options.width <= 16, "model width ", options.width, " must lie in (0, 16]");
  GHOST_CHECK(options.num_classes >= 1, "model: num_classes ", options.num_classes, " must be at least 1");
  GHOST_CHECK(options.in_channels >= 1, "model: in_channels ", options.in_channels, " must be at least 1");
  GHOST_CHECK(options.dropout >= 0 && options.dropout < 1, "model: dropout ", options.dropout, " must lie in [0, 1)");
}

void check_images(const Module& model, const Variable& images, int64_t in_channels) {
  const Shape& shape = images.shape();
  GHOST_CHECK(shape.rank() == 4 && shape[3] == in_channels && shape.numel() > 0,
              "the model takes images of shape [n, h, w, ", in_channels, "], got ", shape);
  const Tensor weight = model.state().front().tensor;
  GHOST_CHECK(sum_type(images.dtype()) == weight.dtype() && images.device() == weight.device(), "the images are ",
              images.dtype(), " on ", images.device(), ", the model is ", weight.dtype(), " on ", weight.device());
  if (FiniteCheck::active()) require_finite(images.value(), "the batch of images");
}

std::unique_ptr<Classifier> make_model(const ModelOptions& options) {
  const auto* const entry = std::find_if(std::begin(kModels), std::end(kModels),
                                         [&](const Entry& candidate) { return options.name == candidate.name; });
  GHOST_CHECK(entry != std::end(kModels), "unknown model '", options.name, "'; there is ", joined(model_names()));
  std::unique_ptr<Classifier> model = entry->make(options);
  initialise(*model, options.flavour == Flavour::kTorch ? Initialiser::kKaimingFanOut : Initialiser::kNormal002,
             options.seed);
  return model;
}

std::unique_ptr<Backbone> make_backbone(const std::string& name, const BackboneOptions& options) {
  GHOST_CHECK(options.width > 0 && options.width <= 16, "model width ", options.width, " must lie in (0, 16]");
  if (name == "ghostnet") return std::make_unique<GhostNetBackbone>(options);
  if (name == "mobilenetv1") return std::make_unique<MobileNetV1Backbone>(options);
  if (name == "mobilenetv2") return std::make_unique<InvertedResidualBackbone>(2, options);
  if (name == "mobilenetv3") return std::make_unique<InvertedResidualBackbone>(3, options);
  GHOST_FAIL(kUsage, "unknown backbone '", name, "'; there is ", joined(model_names()));
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kModels) names.emplace_back(entry.name);
  return names;
}

std::vector<LayerRecord> trace_layers(Classifier& model, int64_t size) {
  return trace_layers(model, size, model.options().in_channels, [&](const Variable& images) { model.forward(images); });
}

int64_t make_divisible(double value, int64_t divisor) {
  const int64_t nearest = static_cast<int64_t>(value + static_cast<double>(divisor) / 2) / divisor * divisor;
  const int64_t result = std::max(divisor, nearest);
  return static_cast<double>(result) < 0.9 * value ? result + divisor : result;
}

}  // namespace ghost
