// Batches of a detection data set, made ahead by threads. What a batch holds is a function of (seed, epoch, position in
// the epoch) alone, as in data/loader.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "data/detection_augment.h"
#include "data/letterbox.h"
#include "data/loader.h"

namespace ghost {

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
  std::vector<std::string> take_corrupt_messages();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ghost
