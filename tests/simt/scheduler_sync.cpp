#include <bit>
#include <cstring>
#include <sstream>
#include <string_view>

#include "tests/simt/scheduler_state.h"

namespace ghost::simt::detail {
namespace {

std::string text_of_lanes(unsigned lanes) {
  std::string result;
  for (int lane = 0; lane < kWarp; ++lane)
    if (lanes >> lane & 1u) result += (result.empty() ? "" : ", ") + std::to_string(lane);
  return result;
}

const char* name_of(WarpOp op) {
  return op == WarpOp::kSync ? "__syncwarp" : op == WarpOp::kVote ? "a vote" : "a shuffle";
}

}  // namespace

std::string place(const std::source_location& where) {
  const std::string_view file = where.file_name();
  return std::string(file.substr(file.find_last_of('/') + 1)) + ":" + std::to_string(where.line());
}

BarrierVotes Scheduler::barrier(int predicate, const std::source_location& where) {
  Thread& self = threads_[current_];
  char* const sync = &barrier_sync_[set_][barrier_generation_ & 1];
  sync_release(sync);
  self.wait = Wait::kBarrier;
  self.where = &where;
  barrier_count_ += predicate != 0;
  if (++barrier_arrived_ == count_) release_barrier();
  wait_for_others();
  sync_acquire(sync);
  return {barrier_result_, count_};
}

void Scheduler::release_barrier() {
  const std::source_location& here = *threads_[0].where;
  for (int i = 1; i < count_; ++i) {
    const std::source_location& there = *threads_[i].where;
    if (here.line() != there.line() || here.column() != there.column() ||
        std::strcmp(here.file_name(), there.file_name()) != 0)
      fail_thread("divergent barrier: thread " + text(threads_[0].index) + " waits at " + place(here) + ", thread " +
                  text(threads_[i].index) + " at " + place(there));
  }
  barrier_result_ = barrier_count_;
  barrier_arrived_ = barrier_count_ = 0;
  ++barrier_generation_;
  ++statistics.barriers;
  for (int i = 0; i < count_; ++i) threads_[i].wait = Wait::kNone;
  for (int i = 0; i < count_; ++i) ready(order == Order::kDown ? count_ - 1 - i : i);
}

WarpVotes Scheduler::warp(WarpOp op, unsigned mask, uint64_t& bits, int source, const std::source_location& where) {
  const int warp = current_ / kWarp, lane = current_ % kWarp;
  Thread& self = threads_[current_];
  Warp& w = warps_[warp];
  if ((mask >> lane & 1u) == 0)
    fail_thread("calls " + std::string(name_of(op)) + " at " + place(where) + " with a mask that lacks its own lane " +
                std::to_string(lane));
  const int lowest = std::countr_zero(mask);
  char* const sync = &w.sync[lowest][w.generation[lowest] & 1];
  if (op == WarpOp::kSync) sync_release(sync);
  self.wait = Wait::kWarp;
  self.where = &where;
  self.op = op;
  self.mask = mask;
  self.bits = bits;
  self.source = source;
  w.waiting |= 1u << lane;
  complete_if_all_came(warp, mask);
  wait_for_others();
  if (op == WarpOp::kSync) sync_acquire(sync);
  bits = self.bits;
  return {static_cast<unsigned>(self.bits), self.mask};
}

void Scheduler::complete_if_all_came(int warp, unsigned mask) {
  const Warp& w = warps_[warp];
  const unsigned present = mask & w.exists & ~w.exited;  // CUDA: all non-exited threads named in the mask
  if (present != 0 && (present & ~w.waiting) == 0) complete_warp(warp, mask, present);
}

void Scheduler::complete_warp(int warp, unsigned mask, unsigned present) {
  Thread* const lanes = threads_ + warp * kWarp;
  Warp& w = warps_[warp];
  const Thread& first = lanes[std::countr_zero(present)];
  uint64_t received[kWarp] = {};
  uint64_t ballot = 0;
  for (int lane = 0; lane < kWarp; ++lane) {
    if ((present >> lane & 1u) == 0) continue;
    const Thread& t = lanes[lane];
    if (t.mask != mask || t.op != first.op)
      throw KernelError(describe(warp * kWarp + lane) + ": waits at " + name_of(t.op) + " at " + place(*t.where) +
                        ", while thread " + text(first.index) + " of the same warp waits at " + name_of(first.op) +
                        " at " + place(*first.where) + " (other operation or other mask)");
    if (t.op == WarpOp::kVote) ballot |= uint64_t{t.bits != 0} << lane;
    if (t.op != WarpOp::kExchange) continue;
    if ((present >> t.source & 1u) == 0)
      throw KernelError(describe(warp * kWarp + lane) + ": shuffle at " + place(*t.where) + " reads lane " +
                        std::to_string(t.source) + ", which " +
                        ((mask >> t.source & 1u) == 0 ? "its mask does not name" : "has exited or does not exist"));
    received[lane] = lanes[t.source].bits;
  }
  if (first.op == WarpOp::kSync) ++w.generation[std::countr_zero(mask)];
  w.waiting &= ~present;
  for (int i = 0; i < kWarp; ++i) {
    const int lane = order == Order::kDown ? kWarp - 1 - i : i;
    if ((present >> lane & 1u) == 0) continue;
    Thread& t = lanes[lane];
    t.bits = t.op == WarpOp::kVote ? ballot : received[lane];
    t.mask = present;
    t.wait = Wait::kNone;
    ready(warp * kWarp + lane);
  }
}

// Nobody can go on: says who waits for what.
std::string Scheduler::deadlock() const {
  int waiting = -1, done = -1;
  for (int i = 0; i < count_; ++i) {
    if (threads_[i].wait == Wait::kDone) done = i;
    if (threads_[i].wait == Wait::kBarrier && waiting < 0) waiting = i;
  }
  for (int i = 0; i < count_; ++i) {
    const Thread& t = threads_[i];
    if (t.wait != Wait::kWarp) continue;
    const Warp& w = warps_[i / kWarp];
    const unsigned missing = t.mask & w.exists & ~w.exited & ~w.waiting;
    if (missing == 0) continue;
    const Thread& other = threads_[i / kWarp * kWarp + std::countr_zero(missing)];
    return describe(i) + ": waits at " + name_of(t.op) + " at " + place(*t.where) +
           " whose mask names lanes that never come: " + text_of_lanes(missing) +
           (other.wait == Wait::kBarrier ? "; they wait at the barrier at " + place(*other.where) : "");
  }
  if (waiting < 0) return "kernel " + kernel_text() + ", block " + text(block_index) + ": no thread can go on";
  std::ostringstream out;
  out << describe(waiting) << ": divergent barrier: " << barrier_arrived_ << " of " << count_ << " threads wait at "
      << place(*threads_[waiting].where);
  if (done >= 0) out << ", thread " << text(threads_[done].index) << " has finished";
  return out.str();
}

}  // namespace ghost::simt::detail
