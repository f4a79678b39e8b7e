// Batches of a detection data set, made ahead by threads. What a batch holds is a function of (seed, epoch, position in
// the epoch) alone, as in data/loader.h.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "data/decode.h"
#include "data/detection_set.h"
#include "data/loader.h"
#include "data/preprocess.h"

namespace ghost {

// How a picture lies in the network's input: x_input = x_picture * scale_x + left.
struct Letterbox {
  double scale_x = 1, scale_y = 1, left = 0, top = 0;
  Box to_input(const Box& picture) const;
  Box to_picture(const Box& input) const;
};
// One setting for training-time evaluation, val, predict and export. keep_ratio: scaled to fit, centred on grey 128;
// else stretched.
Letterbox letterbox_place(int width, int height, int input_width, int input_height, bool keep_ratio);
Letterbox letterbox(const Image& image, int input_size, bool keep_ratio, Interpolation interpolation, Image& out);

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

struct DetectionBatch {
  Tensor images;                  // {n, size, size, 3} float32 on the CPU, normalised
  Tensor boxes;                   // {m, 4} float32: cx, cy, w, h in pixels of the input
  Tensor labels;                  // {m} int64
  Tensor first;                   // {n + 1} int64: boxes of picture i are [first[i], first[i + 1])
  std::vector<int64_t> samples;   // indices into data().samples
  std::vector<Letterbox> places;  // evaluation only
  int64_t first_sample = 0, end_sample = 0, skipped = 0;
  int64_t size() const { return static_cast<int64_t>(samples.size()); }
};

class DetectionLoader {
 public:
  // With `augment` for training: shuffled and changed at random, difficult and crowd boxes left out. Without: in order,
  // letterboxed, boxes of the input for drawing.
  DetectionLoader(DetectionSet data, const Preprocess& preprocess, bool keep_ratio, const LoaderOptions& options,
                  const std::optional<DetectionAugmentOptions>& augment = std::nullopt);
  ~DetectionLoader();

  void start_epoch(int64_t epoch, int64_t first_sample = 0);
  const DetectionBatch* next();
  void set_augment(const DetectionAugmentOptions& augment);  // from the next start_epoch() on
  void set_batch_size(int64_t batch_size);                   // likewise

  const DetectionSet& data() const;
  const Preprocess& preprocess() const;
  int64_t batch_size() const;
  int64_t batches_per_epoch() const;
  double wait_seconds() const;
  int64_t corrupt_count() const;
  std::vector<std::string> take_corrupt_messages();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ghost
