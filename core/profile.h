// Where the time of a step goes, by op. Every op ends in record() and every gradient runs in Tape::backward, so these
// two places see all of it: a forward's time is what passed since the op before it ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace ghost {

struct OpTime {
  int64_t calls = 0;
  double forward_seconds = 0, backward_seconds = 0;
};

// While one lives, ops of this thread are timed.
class ProfileScope {
 public:
  ProfileScope();
  ~ProfileScope();
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;
  const std::map<std::string, OpTime>& ops() const { return ops_; }
  // Forgets the time since the last op: call where a forward pass begins.
  static void mark();

  // Called by record() and Tape::backward; do nothing without a scope.
  static void forward_done(const char* op);
  static void backward_done(const char* op);

 private:
  using Clock = std::chrono::steady_clock;
  double since_mark();
  std::map<std::string, OpTime> ops_;
  Clock::time_point mark_;
  ProfileScope* outer_;
};

}  // namespace ghost
