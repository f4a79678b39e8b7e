// Random changes of training pictures with boxes. Everything is a function of the generator handed in, as in augment.h.
// Order: shape and size, place on a grey canvas, mirror image, hue, saturation and value.
#pragma once

#include <array>
#include <vector>

#include "core/random.h"
#include "data/detection_set.h"
#include "data/image.h"
#include "data/resize.h"

namespace ghost {

struct DetectionAugmentOptions {
  double jitter = 0.3;                     // aspect: U(1-j, 1+j) / U(1-j, 1+j)
  std::array<double, 2> scale{0.25, 2.0};  // of the picture against the input
  double flip = 0.5;
  double hue = 0.1, saturation = 0.7, value = 0.4;  // factors 1 + U(-1, 1) * x
  double mosaic = 0.5;                              // probability
  double mixup = 0.5;                               // probability, on mosaic samples only
  double min_box = 2;                               // pixels: a box cut to less in width or height is dropped
  std::vector<int> sizes;                           // multi-scale: input sizes drawn per batch; empty: preprocess.size
};

// Throws kUsage when a value is out of range.
void check_detection_augment(const DetectionAugmentOptions& options);

// A box of the canvas, in its pixels.
struct PlacedBox {
  Box box;
  int64_t label = 0;
};

// A picture with its boxes, to be put on a canvas.
struct LabelledPicture {
  const Image* image = nullptr;
  const std::vector<BoxLabel>* boxes = nullptr;
};

// A square canvas that pictures are put on; memory is reused by clear().
class DetectionCanvas {
 public:
  void clear(int size);  // all grey, no boxes
  // One picture over the whole canvas, changed in shape, size, place and side.
  void add_single(const LabelledPicture& picture, const DetectionAugmentOptions& options, Interpolation interpolation,
                  Rng& rng);
  // Four pictures that meet at a random point.
  void add_mosaic(const std::array<LabelledPicture, 4>& pictures, const DetectionAugmentOptions& options,
                  Interpolation interpolation, Rng& rng);
  void change_colors(const DetectionAugmentOptions& options, Rng& rng);
  // The mean of both pictures, the boxes of both (mixup).
  void mix(const DetectionCanvas& other);

  const Image& image() const { return image_; }
  const std::vector<PlacedBox>& boxes() const { return boxes_; }

 private:
  struct Rect {
    int left = 0, top = 0, right = 0, bottom = 0;
  };
  struct Placement {
    int left = 0, top = 0, width = 0, height = 0;  // of the whole picture on the canvas
    bool mirrored = false;
  };
  Placement random_size(const Image& image, const std::array<double, 2>& scale, const DetectionAugmentOptions& options,
                        Rng& rng) const;
  void place(const LabelledPicture& picture, const Placement& placement, const Rect& clip, double min_box,
             Interpolation interpolation);

  Image image_, scratch_;
  std::vector<PlacedBox> boxes_;
};

}  // namespace ghost
