// The learning rate as a pure function of the config and the place in training, so that a resumed run cannot jump.
#pragma once

#include "train/config.h"

namespace ghost {

// Base and final learning rate after optimizer.scale_with_batch: rate * batch / 64, held within [5e-4, 5e-2] for SGD
// and [3e-4, 1e-3] for Adam and AdamW (the final rate within a hundredth of these). As bubbliiiing's YOLOv4 recipe has
// it.
struct LearningRateRange {
  double base, final;
};
LearningRateRange learning_rate_range(const OptimizerConfig& optimizer, int64_t batch_size);

// epoch: in [0, epochs], with fraction: 2.5 is half-way through the third epoch.
//   cosine        linear warm-up from warmup_start_factor * base over warmup_epochs, then half a cosine to final
//   step          the same warm-up; base * step_gamma at each of step_epochs; where these are not given, ten equal
//   steps from
//                 base to final
//   constant      the same warm-up, then base
//   yolox_cosine  by whole epochs: quadratic warm-up over min(max(0.05 T, 1), 3) epochs from max(base / 10, 1e-6),
//   cosine, then final
//                 for the last min(max(0.05 T, 1), 15); the warm-up keys do not apply
double learning_rate_at(const ScheduleConfig& schedule, const LearningRateRange& range, int64_t epochs, double epoch);

}  // namespace ghost
