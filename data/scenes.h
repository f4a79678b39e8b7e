// Pictures to try a detector with, made here: Fashion-MNIST pieces, scaled and slightly tinted, on dark canvases of
// several kinds. One folder holds the same pictures as VOC (voc/), COCO (coco/) and YOLO (yolo/), each with the splits
// train and val.
#pragma once

#include <cstdint>
#include <string>

#include "data/detection_set.h"
#include "data/fashion_mnist.h"
#include "data/image.h"

namespace ghost {

struct SceneOptions {
  int size = 160;  // pixels, square
  int min_objects = 3, max_objects = 7;
  double min_scale = 0.2, max_scale = 0.34;  // side of an object's 28x28 picture over the canvas's
  bool ten_classes =
      false;  // Fashion-MNIST's own; else five kinds that can be told apart: top, trouser, dress, shoe, bag
  uint64_t seed = 0;
};

// Picture number `index` of a split: a function of the options, the split's number and the index alone. `sample` gets
// the boxes, tight around the pixels that were drawn; objects cover each other by at most a sixth of the smaller box.
// `by_class`: the pieces of each class, indices into `fashion.images`.
Image draw_scene(const FashionSplit& fashion, const std::vector<std::vector<int64_t>>& by_class,
                 const SceneOptions& options, uint64_t split, int64_t index, DetectionSample& sample);
std::vector<std::vector<int64_t>> pieces_by_class(const FashionSplit& fashion, bool ten_classes);

struct ScenesOptions {
  std::string source;       // Fashion-MNIST's folder
  std::string destination;  // must not exist, or be empty, or hold the same scenes
  int64_t train = 1000, val = 200;
  SceneOptions scene;
};
struct ScenesResult {
  int64_t train_boxes = 0, val_boxes = 0;
  bool existed = false;  // the same scenes were there and nothing was done
};

// Train scenes are made of Fashion-MNIST's training pieces, val scenes of its test pieces. Throws kUsage for impossible
// options, kData for bad sources and a destination that holds something else, kDisk.
ScenesResult make_scenes(const ScenesOptions& options);

}  // namespace ghost
