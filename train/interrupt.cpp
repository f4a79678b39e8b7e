#include "train/interrupt.h"

#include <unistd.h>

#include <atomic>

#include "core/error.h"

namespace ghost {
namespace {

std::atomic<int> received{0};
bool installed = false;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may use lock-free atomics only");

extern "C" void note_signal(int number) {
  int none = 0;
  if (!received.compare_exchange_strong(none, number)) ::_exit(128 + number);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  GHOST_ASSERT(!installed, "a second InterruptGuard");
  installed = true;
  received = 0;
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;  // reads and writes go on; the loop asks in its own time
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &old_interrupt_);
  sigaction(SIGTERM, &action, &old_terminate_);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &old_interrupt_, nullptr);
  sigaction(SIGTERM, &old_terminate_, nullptr);
  received = 0;
  installed = false;
}

int interrupted() { return received; }

}  // namespace ghost
