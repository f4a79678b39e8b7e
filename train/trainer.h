// Trains a task from a config into a run folder.
//
// Order at the end of an epoch: evaluation, metrics row, best weights, checkpoint. A run killed between any two of
// these resumes from the last checkpoint and writes the same row and the same weights again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/upload.h"
#include "core/work_graphs.h"
#include "train/checkpoint.h"
#include "train/log.h"
#include "train/metrics_csv.h"
#include "train/precision.h"
#include "train/run_folder.h"
#include "train/schedule.h"
#include "train/task.h"

namespace ghost {

// Everything a run is made of, opened and checked, before anything is written.
struct Run {
  // `resuming`: weights come from the checkpoint, so model.weights is not read again.
  Run(const Config& config, bool resuming);

  Config config;
  Device device;
  Precision precision;
  std::unique_ptr<Task> task;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Ema> ema;  // null without averaging

  int64_t step_images(int64_t epoch) const { return task->batch_size(epoch) * config.train.accumulate; }
  int64_t steps(int64_t epoch) const { return task->batches(epoch) / config.train.accumulate; }
  int64_t steps_after(int64_t epoch) const;  // of the epochs that follow
  CheckpointParts parts() { return {task->module(), *optimizer, ema.get()}; }
  // The banner: model, data, device, plan.
  std::string describe() const;
};

class Trainer {
 public:
  Trainer(Run& run, const RunFolder& folder, Log& log);

  // Goes on from checkpoints/last.safetensors: weights, moments, place, rows of metrics.csv.
  void resume();

  // Trains to the end. Returns 0, or 128 + the signal that stopped it; a checkpoint is written first.
  int train();

 private:
  bool train_epoch();  // false: a signal came
  void train_step();
  std::vector<Tensor> take_batch(int64_t number);
  void apply_gradients(const Tensor& numbers);
  void read_sums();
  bool time_to_save() const;
  void finish_epoch();
  std::vector<double> take_means(int64_t steps);
  void write_row(const std::vector<double>& means, const Evaluation& evaluation, double rate, double speed);
  void save_best(const Evaluation& evaluation);
  void save_last();
  void keep_epoch();
  void draw_curves() const;
  double learning_rate() const;
  std::string summary() const;

  Run& run_;
  Task& task_;
  const RunFolder& folder_;
  Log& log_;
  MetricsCsv metrics_;
  TrainingState state_;
  BatchUpload upload_;
  WorkGraphs graphs_;
  int64_t read_at_ = 0;   // the step after which sums were read last
  double mean_loss_ = 0;  // of the epoch's steps that were read
  double saved_at_ = 0;   // seconds on the steady clock
};

}  // namespace ghost
