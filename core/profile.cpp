#include "core/profile.h"

#include <utility>

namespace ghost {
namespace {

thread_local ProfileScope* active = nullptr;

}  // namespace

ProfileScope::ProfileScope() : mark_(Clock::now()), outer_(std::exchange(active, this)) {}
ProfileScope::~ProfileScope() { active = outer_; }

double ProfileScope::since_mark() {
  const Clock::time_point before = std::exchange(mark_, Clock::now());
  return std::chrono::duration<double>(mark_ - before).count();
}

void ProfileScope::mark() {
  if (active) active->since_mark();
}

void ProfileScope::forward_done(const char* op) {
  if (!active) return;
  OpTime& time = active->ops_[op];
  ++time.calls;
  time.forward_seconds += active->since_mark();
}

void ProfileScope::backward_done(const char* op) {
  if (active) active->ops_[op].backward_seconds += active->since_mark();
}

}  // namespace ghost
