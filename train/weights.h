// Weights on disk. Every file written here carries a card: which network, which classes in which order, which
// preprocessing. So `val`, `predict` and `export` need nothing but the file, and a class can never be confused with
// another. Parameter names are timm's (ghostnet_100): plain files open there without a rename, and timm's open here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/safetensors.h"
#include "layers/models/detector.h"
#include "layers/models/model.h"
#include "train/config.h"

namespace ghost {

struct ModelCard {
  ModelConfig model;
  InputConfig input;                 // size, mean, std (RGB order, after / 255), crop, interpolation
  std::vector<std::string> classes;  // index order
  std::string task = "classify";     // or "detect"
};

std::map<std::string, std::string> to_metadata(const ModelCard& card);
// Throws kWeights when the file has no card or a damaged one.
ModelCard card_of(const SafetensorsReader& file);

std::unique_ptr<Classifier> make_model(const ModelCard& card, uint64_t seed);
std::unique_ptr<Detector> make_detector(const ModelCard& card, uint64_t seed);

struct LoadReport {
  std::vector<std::string> loaded, skipped, missing;
  std::string summary() const;  // "512 loaded, 2 skipped (classifier.weight, ...), 2 missing (...)"
};
// Copies tensors whose names, after `prefix`, are the module's. Leading "module." and "backbone.model." are dropped and
// num_batches_tracked is ignored. A shape that does not fit is an error; for the layers that depend on
// the number of classes it names model.replace_head, and with replace_head these keep their fresh values. Anything else
// that is missing is an error.
LoadReport load_weights(Module& module, const SafetensorsReader& file, const std::string& prefix, bool replace_head);
// The same for a detector's backbone alone, from a classifier's or another detector's file. What the file has beyond
// the backbone is skipped; what the backbone misses is an error.
LoadReport load_backbone_weights(Detector& detector, const SafetensorsReader& file, const std::string& prefix);

// "ema." or "model." where the file is a checkpoint, averaged weights first; "" for plain weights.
std::string weights_prefix(const SafetensorsReader& file);

std::vector<NamedTensor> with_prefix(const std::string& prefix, std::vector<NamedTensor> tensors);

// Throws kNonFinite, with the tensor's name, unless every element of every tensor is finite: nothing else is ever
// saved.
void require_all_finite(const std::vector<NamedTensor>& tensors, const std::string& path);

// The card and the weights alone, for `val`, `predict`, `export` and timm. Read back and compared before it gets its
// name.
void save_weights(const std::string& path, Module& module, const ModelCard& card);

template <class Model>
struct Loaded {
  ModelCard card;
  std::unique_ptr<Model> model;  // eval mode
  std::string path;              // the file that was taken
};
using LoadedModel = Loaded<Classifier>;
using LoadedDetector = Loaded<Detector>;

// "classify" or "detect": which of the two below a file or run folder is for.
std::string task_of(const std::string& path);
// A run folder (its best weights, else its last checkpoint), a checkpoint (its averaged weights where it has them), a
// file of ours, or a plain GhostNet file of timm's names, whose width and class count are read off its shapes.
LoadedModel load_model(const std::string& path, const Device& device);
// The same for detectors, which always carry a card.
LoadedDetector load_detector(const std::string& path, const Device& device);

}  // namespace ghost
