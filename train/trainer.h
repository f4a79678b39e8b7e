// Trains a classifier from a config into a run folder.
//
// Order at the end of an epoch: evaluation, metrics row, best weights, checkpoint. A run killed between any two of
// these resumes from the last checkpoint and writes the same row and the same weights again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "train/checkpoint.h"
#include "train/classifier_step.h"
#include "train/evaluate.h"
#include "train/log.h"
#include "train/metrics_csv.h"
#include "train/run_folder.h"
#include "train/schedule.h"

namespace ghost {

// Everything a run is made of, opened and checked, before anything is written.
struct Run {
  // `resuming`: weights come from the checkpoint, so model.weights is not read again.
  Run(const Config& config, bool resuming);

  Config config;
  Device device;
  std::unique_ptr<Loader> training, validation;
  ModelCard card;
  std::unique_ptr<Classifier> model;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Ema> ema;    // null without averaging
  std::string weights_report;  // what model.weights gave; "" without
  int64_t macs = 0;            // of one picture

  int64_t steps_per_epoch() const { return training->batches_per_epoch() / config.train.accumulate; }
  CheckpointParts parts() { return {*model, *optimizer, ema.get()}; }
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
  bool train_step();   // false: the epoch's batches are used up
  bool time_to_save() const;
  void finish_epoch();
  void save_best(const ClassifierMetrics& metrics);
  void save_last();
  void keep_epoch();
  void draw_batch(const Batch& batch);
  void draw_curves() const;
  double learning_rate() const;
  std::string summary() const;

  Run& run_;
  const RunFolder& folder_;
  Log& log_;
  MetricsCsv metrics_;
  ClassifierStep step_;
  TrainingState state_;
  double saved_at_ = 0;  // seconds on the steady clock
};

}  // namespace ghost
