// Inside of the scheduler: scheduler.cpp runs launches, blocks and fibers, scheduler_sync.cpp barriers and
// warp functions, device_calls.cpp is what kernels call.
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/simt/fiber.h"
#include "tests/simt/scheduler.h"

#ifdef GHOST_SIMT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace ghost::simt::detail {

constexpr int kMaxThreads = 1024, kWarp = 32;

// Under ThreadSanitizer each CUDA thread needs a fiber of its own, and neighbouring blocks need different ones, else
// races between blocks would stay hidden. Otherwise a fiber that finishes a thread goes on with the next.
#ifdef GHOST_SIMT_TSAN
constexpr bool kFiberPerThread = true;
inline void sync_release(void* address) { __tsan_release(address); }
inline void sync_acquire(void* address) { __tsan_acquire(address); }
#else
constexpr bool kFiberPerThread = false;
inline void sync_release(void*) {}
inline void sync_acquire(void*) {}
#endif

std::string text(const uint3& i);                      // "(1, 0, 0)"
std::string place(const std::source_location& where);  // "file.cu:12"

enum class Wait : uint8_t { kNone, kBarrier, kWarp, kDone };
enum class WarpOp : uint8_t { kSync, kVote, kExchange };

struct Thread {
  uint3 index{};
  Wait wait = Wait::kNone;
  bool started = false;
  Fiber* fiber = nullptr;
  const std::source_location* where = nullptr;  // what it waits at; lives on its stack
  WarpOp op{};
  unsigned mask = 0;
  uint64_t bits = 0;  // given, then received
  int source = 0;
};

class Scheduler {
 public:
  void run(const GridLaunch& launch);

  BarrierVotes barrier(int predicate, const std::source_location& where);
  WarpVotes warp(WarpOp op, unsigned mask, uint64_t& bits, int source, const std::source_location& where);
  void* dynamic_shared(const std::source_location& where);
  int current() const { return current_; }
  std::string describe(int thread) const;
  void fiber_main();

  std::recursive_mutex mutex;
  Order order = Order::kUp;
  uint64_t seed = 1;
  Statistics statistics;
  struct Record {
    int64_t launches = 0;
    int threads = 0;
    size_t shared_bytes = 0;
  };
  std::map<const void*, Record> launches;
  std::map<const void*, int> dynamic_limit;
  void* fence_address() { return &fence_sync_; }

 private:
  void check(const GridLaunch& launch) const;
  std::string kernel_text() const { return kernel_name(launch_->kernel).instance; }
  void run_block();
  void arrange_threads();
  void run_thread();
  void finish_thread();
  void ready(int thread) { ready_[(ready_head_ + ready_count_++) % kMaxThreads] = thread; }
  int next_ready();
  Fiber* fiber_for(int thread);
  void set_current(int thread);
  void wait_for_others();
  void complete_warp(int warp, unsigned mask, unsigned present);
  void complete_if_all_came(int warp, unsigned mask);
  void release_barrier();
  void abandon();
  std::string deadlock() const;
  uint64_t random() {  // splitmix64
    uint64_t z = random_ += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  struct Warp {
    unsigned exists = 0, exited = 0, waiting = 0;
    unsigned generation[kWarp] = {};  // of __syncwarp, by the mask's lowest lane
    char sync[kWarp][2] = {};         // ThreadSanitizer's addresses for it
  };

  const GridLaunch* launch_ = nullptr;
  int count_ = 0;     // threads per block
  int finished_ = 0;  // of this block
  int current_ = -1;
  int set_ = 0;  // fibers of even and of odd blocks (kFiberPerThread)
  uint64_t random_ = 0;
  Thread threads_[kMaxThreads];
  Warp warps_[kMaxThreads / kWarp];
  int ready_[kMaxThreads] = {};  // a ring
  unsigned ready_head_ = 0, ready_count_ = 0;
  int barrier_arrived_ = 0, barrier_count_ = 0, barrier_result_ = 0;
  unsigned barrier_generation_ = 0;
  char barrier_sync_[2][2] = {};
  char begin_sync_ = 0, end_sync_ = 0, fence_sync_ = 0;
  std::exception_ptr error_;
  Fiber main_;
  Fiber* running_ = &main_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> free_;
  std::vector<std::unique_ptr<Fiber>> own_[2];
  char* dynamic_ = nullptr;
};

Scheduler& scheduler();

}  // namespace ghost::simt::detail
