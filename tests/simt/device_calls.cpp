// What kernels call, through device_functions.h.
#include <sstream>

#include "tests/simt/scheduler_state.h"

namespace ghost::simt::detail {

void* Scheduler::dynamic_shared(const std::source_location& where) {
  if (launch_->shared_bytes == 0)
    fail_thread("uses GHOST_DYNAMIC_SHARED at " + place(where) + ", but was launched with 0 bytes of it");
  return dynamic_;
}

namespace {

void require_kernel(const char* what) {
  if (scheduler().current() < 0) throw KernelError(std::string(what) + " was called outside of a kernel");
}

}  // namespace

void run_grid(const GridLaunch& launch) { scheduler().run(launch); }

BarrierVotes barrier(int predicate, const std::source_location& where) {
  require_kernel("__syncthreads");
  return scheduler().barrier(predicate, where);
}

WarpVotes warp_vote(unsigned mask, bool predicate, const std::source_location& where) {
  require_kernel("a vote");
  uint64_t bits = predicate;
  return scheduler().warp(WarpOp::kVote, mask, bits, 0, where);
}

uint64_t warp_exchange(unsigned mask, uint64_t bits, int source, const std::source_location& where) {
  require_kernel("a shuffle");
  scheduler().warp(WarpOp::kExchange, mask, bits, source, where);
  return bits;
}

void warp_barrier(unsigned mask, const std::source_location& where) {
  require_kernel("__syncwarp");
  uint64_t bits = 0;
  scheduler().warp(WarpOp::kSync, mask, bits, 0, where);
}

// Over-orders a little: whoever fences later has seen what was fenced earlier.
void fence() {
  sync_acquire(scheduler().fence_address());
  sync_release(scheduler().fence_address());
}

void* dynamic_shared(const std::source_location& where) {
  require_kernel("GHOST_DYNAMIC_SHARED");
  return scheduler().dynamic_shared(where);
}

void check_aligned(const volatile void* p, size_t bytes, const std::source_location& where) {
  if (reinterpret_cast<uintptr_t>(p) % bytes == 0) return;
  std::ostringstream out;
  out << "misaligned vector access at " << place(where) << ": address " << const_cast<const void*>(p)
      << " is not a multiple of " << bytes;
  fail_thread(out.str());
}

int lane() { return scheduler().current() % kWarp; }

void fail_thread(const std::string& message) {
  const Scheduler& s = scheduler();
  throw KernelError(s.current() < 0 ? message : s.describe(s.current()) + ": " + message);
}

void allow_dynamic_shared(const void* kernel, int bytes) { scheduler().dynamic_limit[kernel] = bytes; }

}  // namespace ghost::simt::detail
