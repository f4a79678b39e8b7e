// A checkpoint is everything a run needs to go on bit for bit: weights, their average, the optimizer's moments, the
// place in training and in the epoch's samples, sums of the running epoch, the best metric, the resolved config, the
// class table. One safetensors file with a checksum for every tensor and for the header. All randomness is a function
// of (seed, place), so there is no generator state.
#pragma once

#include "train/optimizer.h"
#include "train/weights.h"

namespace ghost {

struct TrainingState {
  int64_t epoch = 0;          // epochs completed
  int64_t step_in_epoch = 0;  // optimizer steps done in the epoch that runs
  int64_t step = 0;           // optimizer steps since the start
  std::vector<double> sums;   // over the running epoch's steps: the task's training columns
  double norm_sum = 0;
  double seconds = 0;        // spent training, over all sessions
  double epoch_seconds = 0;  // spent in the running epoch
  int64_t corrupt_samples = 0;
  double best_metric = -1;  // top-1 or mAP, 0 to 1
  int64_t best_epoch = 0;
};

struct CheckpointParts {
  Module& module;
  Optimizer& optimizer;
  Ema* ema;  // null without averaging
};

void save_checkpoint(const std::string& path, const CheckpointParts& parts, const TrainingState& state,
                     const ModelCard& card, const std::string& config_yaml);

// Verifies every tensor before the first is put in place, so that a damaged file changes nothing.
TrainingState load_checkpoint(const std::string& path, const CheckpointParts& parts);

// The config and card a checkpoint was saved with.
struct CheckpointHeader {
  std::string config_yaml;
  ModelCard card;
};
CheckpointHeader read_checkpoint_header(const std::string& path);

}  // namespace ghost
