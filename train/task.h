// What a classifier and a detector do differently in training: data, loss, evaluation, plots. The trainer, checkpoints
// and metrics know only this.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/image.h"
#include "layers/module.h"
#include "train/metrics_csv.h"
#include "train/run_folder.h"
#include "train/svg_plot.h"
#include "train/weights.h"

namespace ghost {

struct Evaluation {
  std::vector<std::pair<std::string_view, double>> values;  // columns of metrics.csv
  double score = 0;                                         // the higher the better: says which weights are the best
  std::string text;                                         // for the epoch's line
  std::vector<std::string> details;                         // lines below it
  std::function<std::vector<NamedText>()> plots;  // files that go with the best weights; drawn when they are asked for
};

class Task {
 public:
  virtual ~Task() = default;

  virtual Module& module() = 0;
  virtual const ModelCard& card() const = 0;
  virtual std::string describe() const = 0;  // lines of the banner: model, data, warnings
  virtual std::string_view score_name() const = 0;

  // What batches measure, as columns of metrics.csv; the first is the loss.
  virtual std::vector<std::string_view> training_columns() const = 0;
  virtual std::vector<std::string_view> evaluation_columns() const = 0;
  virtual std::vector<Plot> curves(const MetricsCsv& metrics) const = 0;

  virtual int64_t batch_size(int64_t epoch) const = 0;
  virtual int64_t batches(int64_t epoch) const = 0;
  virtual bool frozen(int64_t /*epoch*/) const { return false; }  // whether only a part of the network learns
  // Prepares batches and module for an epoch, from any sample on.
  virtual void start_epoch(int64_t epoch, int64_t first_sample) = 0;

  // Takes the next batch: all that its step reads, dense, on the host; valid until the next call. `micro_step` counts
  // batches since the start.
  virtual std::vector<Tensor> next_batch(int64_t micro_step) = 0;
  // Forward and backward, from the loss's gradient `dloss`, {1}, of a batch whose `parts` next_batch() gave and which
  // now lie on the device; gradients add up. What it starts there depends on nothing but the shapes of the parts, so
  // that a CUDA graph of it serves other batches. On the CPU a loss that is not finite throws kNonFinite, with the
  // layer where the first such value arose, the files of the batch and the number of the optimizer's `step`.
  virtual void add_batch(const std::vector<Tensor>& parts, int64_t step, const Tensor& dloss) = 0;
  // Sums of training_columns() over the batches since the last call; waits for the device. Throws kNonFinite where the
  // loss of one of them is not finite.
  virtual std::vector<double> take_sums() = 0;
  virtual int64_t skipped_pictures() const = 0;  // corrupt ones of the last batch
  virtual std::string batch_files() const = 0;   // of the last batch, a line each
  virtual Image draw_batch() const = 0;          // the last batch with its labels
  // Looks at an epoch's means of training_columns(); throws kData when there was nothing to learn from.
  virtual void check_epoch(const std::vector<double>& means) const = 0;

  virtual Evaluation evaluate() = 0;

  virtual double wait_seconds() const = 0;               // for training pictures, since the start
  virtual std::vector<std::string> take_messages() = 0;  // about pictures that could not be read
};

// Opens data and model as the config says; throws before anything is written. `resuming`: weights come from the
// checkpoint.
std::unique_ptr<Task> make_task(const Config& config, const Device& device, bool resuming);
std::unique_ptr<Task> make_classify_task(const Config& config, const Device& device, bool resuming);
std::unique_ptr<Task> make_detect_task(const Config& config, const Device& device, bool resuming);

// What to do about a loss that is not finite; `files` are the batch's pictures, where it is known which.
std::string divergence_advice(const std::string& files);

// Forward and backward of a task's present batch, in optimizer step `step`: what Task::add_batch promises of loss and
// gradients. Returns the loss, {1} on its device.
Tensor backward_batch(const Task& task, int64_t step, const Tensor& dloss, const std::function<Variable()>& forward);

// A sum of losses, kept on their device, so that none has to be waited for.
class LossSum {
 public:
  void add(const Tensor& loss);
  // The sum since the last call. Waits for the device; throws kNonFinite.
  double take();

 private:
  double on_host_ = 0;
  Tensor on_device_;  // undefined before the first loss
};

// The files of a batch, a line each.
template <class Sample>
std::string listed_files(const std::vector<int64_t>& indices, const std::vector<Sample>& samples) {
  std::string text;
  for (const int64_t index : indices) text += "\n  " + samples[static_cast<size_t>(index)].path;
  return text;
}

template <class Loader>
std::vector<std::string> take_messages_of(Loader& training, Loader& validation) {
  std::vector<std::string> messages = training.take_corrupt_messages();
  for (std::string& message : validation.take_corrupt_messages()) messages.push_back(std::move(message));
  return messages;
}

}  // namespace ghost
