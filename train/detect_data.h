// From the config to the loaders and options of a detection run.
#pragma once

#include <memory>

#include "data/detection_loader.h"
#include "kernels/yolo_decode.h"
#include "losses/yolo_loss.h"
#include "train/weights.h"

namespace ghost {

DetectionAugmentOptions detection_augment_of(const Config& config);
// After train.epochs * augment.special_aug_ratio: no mosaic, no mixup.
DetectionAugmentOptions without_mosaic(const Config& config);
// The last schedule.no_aug_epochs: letterbox and mirror images only.
DetectionAugmentOptions without_augmentation(const Config& config);

// Shuffled, augmented, whole batches only; the class table is the data's, or data.classes.
std::unique_ptr<DetectionLoader> detection_training_loader(const Config& config);

struct DetectionSource {
  std::string source, format;
  int64_t batch_size = 8, workers = 2;
  bool skip_corrupt = true;
};
// Pictures in order, letterboxed as the card says, classes matched by name.
std::unique_ptr<DetectionLoader> detection_evaluation_loader(const DetectionSource& source, const ModelCard& card);

std::vector<Anchor> anchors_of(const ModelConfig& model);
YoloLossOptions loss_options_of(const Config& config, int64_t classes);
// For a step without data: kMadeUpBoxes a picture, of all sizes, in rows over it. About what COCO has.
inline constexpr int64_t kMadeUpBoxes = 8;
DetectionTargets made_up_boxes(int64_t pictures, double size, int64_t classes);
DecodeBoxesOptions decode_options_of(const EvaluateConfig& evaluate, const ModelCard& card);

}  // namespace ghost
