#include "train/config_ranges.h"

namespace ghost {
namespace {

void add_detection_augmentation(Config& c, std::vector<ConfigKey>& keys) {
  keys.insert(
      keys.end(),
      {
          {"augment.jitter",
           &c.augment.jitter,
           {.range = up_to_below(0, 1),
            .task = kDetect,
            .help = "The shape is changed by a factor of U(1-x, 1+x) / U(1-x, 1+x)."}},
          {"augment.scale",
           std::span<double>(c.augment.scale),
           {.range = between(0.01, 16), .task = kDetect, .help = "Smallest and largest size against the input."}},
          {"augment.hsv",
           std::span<double>(c.augment.hsv),
           {.range = kProbability,
            .task = kDetect,
            .help = "Hue, saturation and value are multiplied by 1 - x to 1 + x."}},
          {"augment.mosaic",
           &c.augment.mosaic,
           {.range = kProbability, .task = kDetect, .help = "Probability that four pictures share one."}},
          {"augment.mosaic_mixup",
           &c.augment.mosaic_mixup,
           {.range = kProbability,
            .task = kDetect,
            .help = "Probability that a mosaic is averaged with another picture."}},
          {"augment.special_aug_ratio",
           &c.augment.special_aug_ratio,
           {.range = kProbability, .task = kDetect, .help = "First share of the epochs, in which there are mosaics."}},
          {"augment.min_box",
           &c.augment.min_box,
           {.range = between(0, 1000),
            .unit = "pixels",
            .task = kDetect,
            .help = "A box that is cut to less width or height than this is dropped."}},
          {"augment.sizes",
           &c.augment.sizes,
           {.range = between(32, 4096),
            .unit = "pixels",
            .task = kDetect,
            .help = "Input sizes that are drawn batch by batch, multiples of 32; an empty list trains at input.size."}},
      });
}

void add_loss(Config& c, std::vector<ConfigKey>& keys) {
  keys.insert(
      keys.end(),
      {
          {"loss.label_smoothing",
           &c.loss.label_smoothing,
           {.range = up_to_below(0, 1), .help = "Share of the target spread evenly over all classes."}},
          {"loss.generation",
           &c.loss.generation,
           {.range = between(2, 3),
            .task = kDetect,
            .help = "3: means over anchors, balanced between the levels. 2: sums over the number of matched anchors."}},
          {"loss.box",
           &c.loss.box,
           {.choices = {"ciou", "diou", "giou", "siou"}, .task = kDetect, .help = "Which IoU the boxes learn by."}},
          {"loss.ignore_threshold",
           &c.loss.ignore_threshold,
           {.range = kProbability,
            .task = kDetect,
            .help = "An anchor without object whose box overlaps one by this IoU is not taught that it is empty."}},
          {"loss.ignore_same_level",
           &c.loss.ignore_same_level,
           {.task = kDetect, .help = "Whether only the boxes of an anchor's own level count for that."}},
          {"loss.focal", &c.loss.focal, {.task = kDetect, .help = "Focal objectness (alpha 0.25, gamma 2, times 10)."}},
          {"loss.balance",
           std::span<double>(c.loss.balance),
           {.range = at_least(0),
            .task = kDetect,
            .help = "Weight of objectness at strides 32, 16 and 8 (generation 3)."}},
          {"loss.box_weight",
           &c.loss.box_weight,
           {.range = at_least(0), .task = kDetect, .help = "Weight of the boxes' term (generation 3)."}},
          {"loss.object_weight",
           &c.loss.object_weight,
           {.range = at_least(0),
            .task = kDetect,
            .help = "Weight of objectness, times input area / 416^2 (generation 3)."}},
          {"loss.class_weight",
           &c.loss.class_weight,
           {.range = at_least(0),
            .task = kDetect,
            .help = "Weight of the classes' term, times classes / 80 (generation 3)."}},

          {"evaluate.score_threshold",
           &c.evaluate.score_threshold,
           {.range = between(0, 1), .task = kDetect, .help = "Detections below this score are not looked at."}},
          {"evaluate.iou_threshold",
           &c.evaluate.iou_threshold,
           {.range = kProbability,
            .task = kDetect,
            .help = "A box that overlaps a better one of its class by more than this is suppressed."}},
          {"evaluate.max_detections",
           &c.evaluate.max_detections,
           {.range = between(1, 10000),
            .unit = "boxes",
            .task = kDetect,
            .help = "Boxes kept per picture, the best first."}},

          {"ema.decay",
           &c.ema.decay,
           {.range = up_to_below(0, 1),
            .help =
                "Decay per step of the running average of the weights that is validated and exported; 0 keeps none."}},
      });
}

}  // namespace

void add_detection_keys(Config& config, std::vector<ConfigKey>& keys) {
  add_detection_augmentation(config, keys);
  add_loss(config, keys);
}

}  // namespace ghost
