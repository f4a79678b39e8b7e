#include "train/detect_data.h"

#include "train/classify_data.h"

namespace ghost {
namespace {

BoxLoss box_loss_from_name(const std::string& name) {
  if (name == "diou") return BoxLoss::kDiou;
  if (name == "giou") return BoxLoss::kGiou;
  return name == "siou" ? BoxLoss::kSiou : BoxLoss::kCiou;
}

}  // namespace

DetectionAugmentOptions detection_augment_of(const Config& config) {
  const AugmentConfig& augment = config.augment;
  DetectionAugmentOptions options;
  options.jitter = augment.jitter;
  options.scale = augment.scale;
  options.flip = augment.flip;
  options.hue = augment.hsv[0];
  options.saturation = augment.hsv[1];
  options.value = augment.hsv[2];
  options.mosaic = augment.mosaic;
  options.mixup = augment.mosaic_mixup;
  options.min_box = augment.min_box;
  options.sizes.assign(augment.sizes.begin(), augment.sizes.end());
  return options;
}

DetectionAugmentOptions without_mosaic(const Config& config) {
  DetectionAugmentOptions options = detection_augment_of(config);
  options.mosaic = options.mixup = 0;
  return options;
}

DetectionAugmentOptions without_augmentation(const Config& config) {
  DetectionAugmentOptions options = without_mosaic(config);
  options.jitter = options.hue = options.saturation = options.value = 0;
  options.scale = {1, 1};
  return options;
}

std::unique_ptr<DetectionLoader> detection_training_loader(const Config& config) {
  const bool cached = config.data.cache == "memory", skip = config.data.on_corrupt == "skip";
  const LoaderOptions options{.batch_size = config.train.batch_size,
                              .workers = static_cast<int>(config.data.workers),
                              .seed = static_cast<uint64_t>(config.train.seed),
                              .on_corrupt = skip ? OnCorrupt::kSkip : OnCorrupt::kError,
                              .cache_bytes = cached ? config.data.cache_limit_mb << 20 : 0};
  DetectionSet set = open_detection_set({.source = config.data.train,
                                         .format = detection_format_from_name(config.data.format),
                                         .class_file = config.data.classes,
                                         .classes = {},
                                         .skip_bad = skip});
  return std::make_unique<DetectionLoader>(std::move(set), preprocess_of(config.input), config.input.letterbox, options,
                                           detection_augment_of(config));
}

std::unique_ptr<DetectionLoader> detection_evaluation_loader(const DetectionSource& source, const ModelCard& card) {
  const LoaderOptions options{.batch_size = source.batch_size,
                              .workers = static_cast<int>(source.workers),
                              .drop_last = false,
                              .on_corrupt = source.skip_corrupt ? OnCorrupt::kSkip : OnCorrupt::kError};
  DetectionSet set = open_detection_set({.source = source.source,
                                         .format = detection_format_from_name(source.format),
                                         .class_file = "",
                                         .classes = card.classes,
                                         .skip_bad = source.skip_corrupt});
  return std::make_unique<DetectionLoader>(std::move(set), preprocess_of(card.input), card.input.letterbox, options);
}

std::vector<Anchor> anchors_of(const ModelConfig& model) {
  std::vector<Anchor> anchors;
  for (size_t i = 0; i + 1 < model.anchors.size(); i += 2) anchors.push_back({model.anchors[i], model.anchors[i + 1]});
  return anchors;
}

YoloLossOptions loss_options_of(const Config& config, int64_t classes) {
  const LossConfig& loss = config.loss;
  YoloLossOptions options;
  options.anchors = anchors_of(config.model);
  options.num_classes = classes;
  options.generation = static_cast<int>(loss.generation);
  options.box_loss = box_loss_from_name(loss.box);
  options.ignore_threshold = loss.ignore_threshold;
  options.ignore_same_level = loss.ignore_same_level;
  options.focal = loss.focal;
  options.label_smoothing = loss.label_smoothing;
  options.balance = loss.balance;
  options.box_weight = loss.box_weight;
  options.object_weight = loss.object_weight;
  options.class_weight = loss.class_weight;
  return options;
}

DetectionTargets made_up_boxes(int64_t pictures, double size, int64_t classes) {
  std::vector<float> boxes;
  std::vector<int64_t> labels, first{0};
  for (int64_t i = 0; i < pictures; ++i) {
    for (int64_t k = 0; k < kMadeUpBoxes; ++k) {
      const double share = (static_cast<double>(k) + 0.5) / kMadeUpBoxes;
      for (const double number : {share, share, share, share}) boxes.push_back(static_cast<float>(number * size));
      labels.push_back(k % classes);
    }
    first.push_back(static_cast<int64_t>(labels.size()));
  }
  const int64_t m = pictures * kMadeUpBoxes;
  return {Tensor::from(boxes, {m, 4}), Tensor::from(labels, {m}), Tensor::from(first, {pictures + 1})};
}

DecodeBoxesOptions decode_options_of(const EvaluateConfig& evaluate, const ModelCard& card) {
  return {.anchors = anchors_of(card.model),
          .num_classes = static_cast<int64_t>(card.classes.size()),
          .score_threshold = evaluate.score_threshold,
          .iou_threshold = evaluate.iou_threshold,
          .max_detections = evaluate.max_detections,
          .multi_label = true};
}

}  // namespace ghost
