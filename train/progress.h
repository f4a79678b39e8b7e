// The progress of one epoch: a bar on a terminal, a plain line now and then where there is none.
//
//   epoch 3/30 [=========>          ] 45/120  812 img/s  loss 1.2345  lr 0.0312  eta 3:25
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "train/log.h"

namespace ghost {

struct ProgressOptions {
  std::string label;                // "epoch 3/30"
  int64_t steps = 0;                // of this epoch
  int64_t first_step = 0;           // done before, by the run that is resumed
  int64_t steps_after = 0;          // of the epochs to come, for the time left
  double redraw_seconds = 0.1;      // on a terminal
  double plain_seconds = 30;        // elsewhere
  std::function<double()> clock{};  // seconds that only grow; empty: the steady clock
};

struct ProgressState {
  int64_t step = 0;    // done in this epoch, those before `first_step` included
  int64_t images = 0;  // done since this Progress began
  double loss = 0;
  double learning_rate = 0;
};

class Progress {
 public:
  Progress(Log& log, ProgressOptions options);
  // Takes the bar away.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Call after each step; draws only when it is time.
  void update(const ProgressState& state);

  double seconds() const;            // since the beginning
  double images_per_second() const;  // mean since the beginning

 private:
  std::string text(bool bar) const;

  Log& log_;
  ProgressOptions options_;
  ProgressState state_;
  double begin_, drawn_;
};

}  // namespace ghost
