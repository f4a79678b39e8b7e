// SIGINT and SIGTERM as a question the training loop asks between two steps.
#pragma once

#include <csignal>

namespace ghost {

// While one lives, the first SIGINT or SIGTERM is only noted; a second one ends the process at once, with exit code
// 128 + its number (130, 143). The destructor puts the former handlers back and forgets the signal. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct sigaction old_interrupt_, old_terminate_;
};

// The number of the signal that came, else 0.
int interrupted();

}  // namespace ghost
