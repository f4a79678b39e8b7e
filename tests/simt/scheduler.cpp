#include "tests/simt/scheduler.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <sstream>
#include <utility>

#include "tests/simt/fiber.h"

#ifdef GHOST_SIMT_ASAN
#include <sanitizer/asan_interface.h>
#endif
#ifdef GHOST_SIMT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

extern "C" char ghost_simt_shared_begin[], ghost_simt_shared_end[];  // shared_memory.ld

namespace ghost::simt {
namespace detail {

uint3 thread_index, block_index;
dim3 block_size, grid_size;

namespace {

constexpr int kMaxThreads = 1024, kWarp = 32;
constexpr size_t kSharedLimit = 227 * 1024, kSharedDefault = 48 * 1024, kCanaryBytes = 256;

// Under ThreadSanitizer each CUDA thread needs a fiber of its own, and neighbouring blocks need different ones, else
// races between blocks would stay hidden. Otherwise a fiber that finishes a thread goes on with the next.
#ifdef GHOST_SIMT_TSAN
constexpr bool kFiberPerThread = true;
void sync_release(void* address) { __tsan_release(address); }
void sync_acquire(void* address) { __tsan_acquire(address); }
#else
constexpr bool kFiberPerThread = false;
void sync_release(void*) {}
void sync_acquire(void*) {}
#endif

// Shared memory holds NaN (all bits set) when a block starts. A plain loop: memset would be checked by the sanitizers.
void poison(char* begin, char* end) {
  auto* words = reinterpret_cast<volatile uint64_t*>(begin);
  const size_t count = (end - begin) / sizeof(uint64_t);
  for (size_t i = 0; i < count; ++i) words[i] = ~uint64_t{0};
}

// Under ThreadSanitizer new pages, so that the shared memory of two blocks is not taken for one memory.
void renew(char* begin, char* end) {
#ifdef GHOST_SIMT_TSAN
  if (begin < end) mmap(begin, end - begin, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
#endif
  poison(begin, end);
}

std::string place(const std::source_location& where) {
  const std::string_view file = where.file_name();
  return std::string(file.substr(file.find_last_of('/') + 1)) + ":" + std::to_string(where.line());
}

std::string text(const uint3& i) {
  return "(" + std::to_string(i.x) + ", " + std::to_string(i.y) + ", " + std::to_string(i.z) + ")";
}
std::string text(const dim3& d) { return text(uint3{d.x, d.y, d.z}); }

std::string text_of_lanes(unsigned lanes) {
  std::string result;
  for (int lane = 0; lane < kWarp; ++lane)
    if (lanes >> lane & 1u) result += (result.empty() ? "" : ", ") + std::to_string(lane);
  return result;
}

enum class Wait : uint8_t { kNone, kBarrier, kWarp, kDone };
enum class WarpOp : uint8_t { kSync, kVote, kExchange };
const char* name_of(WarpOp op) { return op == WarpOp::kSync ? "__syncwarp" : op == WarpOp::kVote ? "a vote" : "a shuffle"; }

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
  std::map<const void*, int64_t> launches;
  std::map<const void*, int> dynamic_limit;
  void* fence_address() { return &fence_sync_; }

 private:
  void check(const GridLaunch& launch) const;
  std::string kernel_text() const { return kernel_name(launch_->kernel).instance; }
  void run_block();
  void arrange_threads();
  void run_thread();
  void finish_thread();
  void ready(int thread) { ready_.push_back(thread); }
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
  std::vector<int> ready_;
  size_t ready_head_ = 0;
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

Scheduler& scheduler() {
  static Scheduler* const scheduler = new Scheduler;  // fibers must outlive every static destructor
  return *scheduler;
}

void fiber_entry() {
  Fiber::on_entry();
  scheduler().fiber_main();
}

void Scheduler::check(const GridLaunch& launch) const {
  const auto fail = [&](const std::string& what) {
    throw KernelError("kernel " + kernel_name(launch.kernel).instance + ": " + what);
  };
  const dim3 g = launch.grid, b = launch.block;
  if (g.x == 0 || g.y == 0 || g.z == 0) fail("empty grid " + text(g) + "; return before the launch when there is no work");
  if (g.x > 2147483647u || g.y > 65535u || g.z > 65535u)
    fail("grid " + text(g) + " is beyond (2147483647, 65535, 65535)");
  const uint64_t threads = uint64_t{b.x} * b.y * b.z;
  if (threads == 0) fail("empty block " + text(b));
  if (threads > kMaxThreads || b.x > 1024 || b.y > 1024 || b.z > 64)
    fail("block " + text(b) + " has " + std::to_string(threads) + " threads; a block has at most 1024 and z at most 64");
  if (launch.shared_bytes > kSharedLimit)
    fail(std::to_string(launch.shared_bytes) + " bytes of dynamic shared memory; a block gets at most " +
         std::to_string(kSharedLimit));
  const auto limit = dynamic_limit.find(launch.kernel);
  const size_t allowed = limit == dynamic_limit.end() ? kSharedDefault : std::max<size_t>(kSharedDefault, limit->second);
  if (launch.shared_bytes > allowed)
    fail(std::to_string(launch.shared_bytes) + " bytes of dynamic shared memory, " + std::to_string(allowed) +
         " allowed; call cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) before");
}

void Scheduler::run(const GridLaunch& launch) {
  const std::lock_guard lock(mutex);
  if (current_ >= 0) throw KernelError("a kernel launches a kernel; that is not supported");
  check(launch);
  if (dynamic_ == nullptr)
    dynamic_ = static_cast<char*>(mmap(nullptr, kSharedLimit + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  launch_ = &launch;
  block_size = launch.block;
  grid_size = launch.grid;
  count_ = static_cast<int>(launch.block.x * launch.block.y * launch.block.z);
  random_ = seed;
  main_.adopt_calling_thread();
  arrange_threads();
  ++launches[launch.kernel];
  ++statistics.launches;

  const uint64_t blocks = uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  std::vector<uint32_t> sequence(blocks);
  std::iota(sequence.begin(), sequence.end(), 0u);
  if (order == Order::kDown) std::reverse(sequence.begin(), sequence.end());
  if (order == Order::kRandom)
    for (uint64_t i = blocks; i > 1; --i) std::swap(sequence[i - 1], sequence[random() % i]);
  for (const uint32_t block : sequence) {
    block_index = {block % grid_size.x, block / grid_size.x % grid_size.y, block / grid_size.x / grid_size.y};
    run_block();
    if (error_) break;
  }
  sync_acquire(&end_sync_);
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void Scheduler::arrange_threads() {
  int i = 0;
  for (unsigned z = 0; z < block_size.z; ++z)
    for (unsigned y = 0; y < block_size.y; ++y)
      for (unsigned x = 0; x < block_size.x; ++x) threads_[i++].index = {x, y, z};
}

void Scheduler::run_block() {
  char* const dynamic_end = dynamic_ + (launch_->shared_bytes + 15) / 16 * 16;
#ifdef GHOST_SIMT_ASAN
  __asan_unpoison_memory_region(dynamic_, kSharedLimit + 4096);
#endif
  renew(ghost_simt_shared_begin, ghost_simt_shared_end);
  renew(dynamic_, kFiberPerThread ? dynamic_ + kSharedLimit + 4096 : dynamic_end + kCanaryBytes);
#ifdef GHOST_SIMT_ASAN
  __asan_poison_memory_region(dynamic_ + launch_->shared_bytes, kSharedLimit + 4096 - launch_->shared_bytes);
#endif
  finished_ = barrier_arrived_ = barrier_count_ = 0;
  ready_.clear();
  ready_head_ = 0;
  for (int i = 0; i < count_; ++i) {
    threads_[i].wait = Wait::kNone;
    threads_[i].started = false;
    threads_[i].fiber = nullptr;
    ready(order == Order::kDown ? count_ - 1 - i : i);
  }
  for (int w = 0; w * kWarp < count_; ++w) {
    const int lanes = std::min(kWarp, count_ - w * kWarp);
    warps_[w].exists = lanes == kWarp ? ~0u : (1u << lanes) - 1;
    warps_[w].exited = warps_[w].waiting = 0;
  }
  set_ ^= 1;
  sync_release(&begin_sync_);
  const int first = next_ready();
  Fiber* const fiber = fiber_for(first);
  set_current(first);
  running_ = fiber;
  main_.switch_to(*fiber);
  running_ = &main_;
  current_ = -1;

  if (!error_ && finished_ < count_) error_ = std::make_exception_ptr(KernelError(deadlock()));
  if (error_) return abandon();
  ++statistics.blocks;
  statistics.threads += count_;
  const auto* canary = reinterpret_cast<const volatile uint64_t*>(dynamic_end);
  for (size_t i = 0; i < kCanaryBytes / 8; ++i)
    if (canary[i] != ~uint64_t{0}) {
      error_ = std::make_exception_ptr(
          KernelError("kernel " + kernel_text() + ", block " + text(block_index) + ": wrote past its " +
                      std::to_string(launch_->shared_bytes) + " bytes of dynamic shared memory"));
      return;
    }
}

// A mistake ended the block: the threads that wait never go on.
void Scheduler::abandon() {
  for (int i = 0; i < count_; ++i) {
    Thread& thread = threads_[i];
    if (!thread.started || thread.wait == Wait::kDone) continue;
    thread.fiber->release_under_tsan(&end_sync_);
    thread.fiber->restart();
    if (!kFiberPerThread) free_.push_back(thread.fiber);
  }
}

int Scheduler::next_ready() {
  if (error_ || ready_head_ == ready_.size()) return -1;
  if (order == Order::kRandom) std::swap(ready_[ready_head_], ready_[ready_head_ + random() % (ready_.size() - ready_head_)]);
  const int thread = ready_[ready_head_++];
  if (ready_head_ == ready_.size()) {
    ready_.clear();
    ready_head_ = 0;
  }
  return thread;
}

// The fiber that a ready thread was suspended on, or one to start it on.
Fiber* Scheduler::fiber_for(int thread) {
  Thread& t = threads_[thread];
  if (t.started) return t.fiber;
  if (kFiberPerThread) {
    auto& own = own_[set_];
    while (static_cast<int>(own.size()) <= thread) own.push_back(std::make_unique<Fiber>(fiber_entry));
    return t.fiber = own[thread].get();
  }
  if (free_.empty()) {
    fibers_.push_back(std::make_unique<Fiber>(fiber_entry));
    return t.fiber = fibers_.back().get();
  }
  t.fiber = free_.back();
  free_.pop_back();
  return t.fiber;
}

void Scheduler::set_current(int thread) {
  current_ = thread;
  thread_index = threads_[thread].index;
}

void Scheduler::run_thread() {
  threads_[current_].started = true;
  sync_acquire(&begin_sync_);
  try {
    launch_->call(launch_->arguments);
  } catch (const KernelError&) {
    error_ = std::current_exception();
  } catch (const std::exception& error) {
    error_ = std::make_exception_ptr(KernelError(describe(current_) + ": " + error.what()));
  }
  sync_release(&end_sync_);
}

void Scheduler::finish_thread() {
  threads_[current_].wait = Wait::kDone;
  ++finished_;
  const int warp = current_ / kWarp;
  Warp& w = warps_[warp];
  w.exited |= 1u << current_ % kWarp;
  if (error_) return;
  try {  // those who waited for this lane need not any longer
    for (int lane = 0; lane < kWarp; ++lane)
      if (w.waiting >> lane & 1u) complete_if_all_came(warp, threads_[warp * kWarp + lane].mask);
  } catch (const KernelError&) {
    error_ = std::current_exception();
    sync_release(&end_sync_);
  }
}

// What every fiber does: run the thread it was given, then find more work. A suspended thread is continued by switching
// to its fiber; one that has not started yet runs on this fiber, unless each thread must have its own.
void Scheduler::fiber_main() {
  for (;;) {
    run_thread();
    Fiber* const self = running_;
    finish_thread();
    const int next = next_ready();
    if (next < 0) {
      if (!kFiberPerThread) free_.push_back(self);
      self->switch_to(main_);
      continue;
    }
    if (!kFiberPerThread && !threads_[next].started) {
      threads_[next].fiber = self;
      set_current(next);
      continue;
    }
    Fiber* const to = fiber_for(next);
    if (!kFiberPerThread) free_.push_back(self);
    set_current(next);
    running_ = to;
    self->switch_to(*to);
  }
}

// Suspends the running thread until someone made it ready. Everyone goes through the queue, so that the order of threads
// is the same after a barrier as before it.
void Scheduler::wait_for_others() {
  const int self = current_;
  const int next = next_ready();
  if (next == self) return;
  Fiber* const from = threads_[self].fiber;
  if (next < 0) {
    from->switch_to(main_);
  } else {
    Fiber* const to = fiber_for(next);
    set_current(next);
    running_ = to;
    from->switch_to(*to);
  }
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
    if (here.line() != there.line() || here.column() != there.column() || std::strcmp(here.file_name(), there.file_name()) != 0)
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
                        ", while thread " + text(first.index) + " of the same warp waits at " + name_of(first.op) + " at " +
                        place(*first.where) + " (other operation or other mask)");
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

std::string Scheduler::describe(int thread) const {
  return "kernel " + kernel_text() + ", block " + text(block_index) + ", thread " + text(threads_[thread].index);
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
    return describe(i) + ": waits at " + name_of(t.op) + " at " + place(*t.where) + " whose mask names lanes that never come: " +
           text_of_lanes(missing) + (other.wait == Wait::kBarrier ? "; they wait at the barrier at " + place(*other.where) : "");
  }
  if (waiting < 0) return "kernel " + kernel_text() + ", block " + text(block_index) + ": no thread can go on";
  std::ostringstream out;
  out << describe(waiting) << ": divergent barrier: " << barrier_arrived_ << " of " << count_ << " threads wait at "
      << place(*threads_[waiting].where);
  if (done >= 0) out << ", thread " << text(threads_[done].index) << " has finished";
  return out.str();
}

void* Scheduler::dynamic_shared(const std::source_location& where) {
  if (launch_->shared_bytes == 0)
    fail_thread("uses GHOST_DYNAMIC_SHARED at " + place(where) + ", but was launched with 0 bytes of it");
  return dynamic_;
}

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

}  // namespace detail

void set_order(Order order, uint64_t seed) {
  detail::scheduler().order = order;
  detail::scheduler().seed = seed;
}

const char* name_of(Order order) { return order == Order::kUp ? "up" : order == Order::kDown ? "down" : "random"; }

Statistics statistics() { return detail::scheduler().statistics; }

std::vector<KernelRun> kernels_run() {
  std::vector<KernelRun> runs;
  for (const auto& [kernel, launches] : detail::scheduler().launches) {
    const detail::KernelName name = detail::kernel_name(kernel);
    runs.push_back({name.name, name.instance, launches});
  }
  return runs;
}

}  // namespace ghost::simt
