#include "core/profile.h"

#include <utility>

namespace ghost {
namespace {

thread_local ProfileScope* active_profile = nullptr;

}  // namespace

ProfileScope::ProfileScope() : mark_(Clock::now()), outer_(std::exchange(active_profile, this)) {}
ProfileScope::~ProfileScope() { active_profile = outer_; }

double ProfileScope::since_mark() {
  const Clock::time_point before = std::exchange(mark_, Clock::now());
  return std::chrono::duration<double>(mark_ - before).count();
}

void ProfileScope::mark() {
  if (active_profile) active_profile->since_mark();
}

void ProfileScope::forward_done(const char* op) {
  if (!active_profile) return;
  OpTime& time = active_profile->ops_[op];
  ++time.calls;
  time.forward_seconds += active_profile->since_mark();
}

void ProfileScope::backward_done(const char* op) {
  if (active_profile) active_profile->ops_[op].backward_seconds += active_profile->since_mark();
}

}  // namespace ghost
