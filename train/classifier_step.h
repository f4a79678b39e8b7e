// One training step of a classifier: forward, loss, backward for each of its batches, then the optimizer.
#pragma once

#include "data/loader.h"
#include "train/optimizer.h"
#include "train/weights.h"

namespace ghost {

class ClassifierStep {
 public:
  // References are kept. ema may be null.
  ClassifierStep(Classifier& model, Optimizer& optimizer, Ema* ema, const Config& config, const Device& device);

  // Forward, loss and backward of one batch; gradients add up until finish(). Returns the loss. A loss that is not
  // finite throws kNonFinite with the layer where the first such value arose and the files of the batch; nothing is
  // changed but the gradients.
  double add_batch(const Batch& batch, const ImageFolder& data);

  // Optimizer and average. Returns the gradients' norm. Throws kNonFinite, with the parameter and the files of the last
  // batch, before anything is changed.
  double finish(double learning_rate);

 private:
  Variable loss_of(const Batch& batch, double* value);
  [[noreturn]] void explain_non_finite(const Batch& batch, double loss);
  std::string advice() const;  // what to do, and the pictures of the last batch

  Classifier& model_;
  Optimizer& optimizer_;
  Ema* ema_;
  const Config& config_;
  Device device_;
  int64_t batches_ = 0;  // of the step that runs
  const Batch* last_batch_ = nullptr;
  const ImageFolder* data_ = nullptr;
};

}  // namespace ghost
