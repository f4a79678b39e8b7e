// From the config to the loaders of a classification run.
#pragma once

#include <memory>

#include "data/loader.h"
#include "train/weights.h"

namespace ghost {

Preprocess preprocess_of(const InputConfig& input);
AugmentOptions augment_of(const AugmentConfig& augment);
// The last schedule.no_aug_epochs: resize and centre crop, mirror images only.
AugmentOptions without_augmentation(const AugmentConfig& augment);

// Shuffled, augmented, whole batches only. The class table is the training folders' names, or data.classes.
std::unique_ptr<Loader> training_loader(const Config& config);

struct EvaluationData {
  std::string folder;
  int64_t batch_size = 32, workers = 2;
  bool skip_corrupt = true;
};
// Pictures in order, preprocessed as the card says, classes matched by name.
std::unique_ptr<Loader> evaluation_loader(const EvaluationData& data, const ModelCard& card);

}  // namespace ghost
