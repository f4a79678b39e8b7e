#include <sys/mman.h>

#include <algorithm>
#include <numeric>
#include <sstream>
#include <utility>

#include "tests/simt/scheduler_state.h"

#ifdef GHOST_SIMT_ASAN
#include <sanitizer/asan_interface.h>
#endif

extern "C" char ghost_simt_shared_begin[], ghost_simt_shared_end[];  // shared_memory.ld

namespace ghost::simt {
namespace detail {

uint3 thread_index, block_index;
dim3 block_size, grid_size;

namespace {

constexpr size_t kSharedLimit = 227 * 1024, kSharedDefault = 48 * 1024, kCanaryBytes = 256;

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

std::string text(const dim3& d) { return detail::text(uint3{d.x, d.y, d.z}); }

void fiber_entry() {
  Fiber::on_entry();
  scheduler().fiber_main();
}

}  // namespace

std::string text(const uint3& i) {
  std::ostringstream out;
  out << '(' << i.x << ", " << i.y << ", " << i.z << ')';
  return out.str();
}

Scheduler& scheduler() {
  static Scheduler* const scheduler = new Scheduler;  // fibers must outlive every static destructor
  return *scheduler;
}

void Scheduler::check(const GridLaunch& launch) const {
  const auto fail = [&](const std::string& what) {
    throw KernelError("kernel " + kernel_name(launch.kernel).instance + ": " + what);
  };
  const dim3 g = launch.grid, b = launch.block;
  if (g.x == 0 || g.y == 0 || g.z == 0)
    fail("empty grid " + text(g) + "; return before the launch when there is no work");
  if (g.x > 2147483647u || g.y > 65535u || g.z > 65535u)
    fail("grid " + text(g) + " is beyond (2147483647, 65535, 65535)");
  const uint64_t threads = uint64_t{b.x} * b.y * b.z;
  if (threads == 0) fail("empty block " + text(b));
  if (threads > kMaxThreads || b.x > 1024 || b.y > 1024 || b.z > 64)
    fail("block " + text(b) + " has " + std::to_string(threads) +
         " threads; a block has at most 1024 and z at most 64");
  if (launch.shared_bytes > kSharedLimit)
    fail(std::to_string(launch.shared_bytes) + " bytes of dynamic shared memory; a block gets at most " +
         std::to_string(kSharedLimit));
  const auto limit = dynamic_limit.find(launch.kernel);
  const size_t allowed =
      limit == dynamic_limit.end() ? kSharedDefault : std::max<size_t>(kSharedDefault, limit->second);
  if (launch.shared_bytes > allowed)
    fail(std::to_string(launch.shared_bytes) + " bytes of dynamic shared memory, " + std::to_string(allowed) +
         " allowed; call cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) before");
}

void Scheduler::run(const GridLaunch& launch) {
  const std::lock_guard lock(mutex);
  if (current_ >= 0) throw KernelError("a kernel launches a kernel; that is not supported");
  check(launch);
  if (dynamic_ == nullptr)
    dynamic_ = static_cast<char*>(
        mmap(nullptr, kSharedLimit + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  launch_ = &launch;
  block_size = launch.block;
  grid_size = launch.grid;
  count_ = static_cast<int>(launch.block.x * launch.block.y * launch.block.z);
  random_ = seed;
  main_.adopt_calling_thread();
  arrange_threads();
  if (kFiberPerThread)
    for (auto& own : own_)
      while (static_cast<int>(own.size()) < count_) own.push_back(std::make_unique<Fiber>(fiber_entry));
  Record& record = launches[launch.kernel];
  ++record.launches;
  record.threads = std::max(record.threads, count_);
  record.shared_bytes = std::max(record.shared_bytes, launch.shared_bytes);
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
  ready_head_ = ready_count_ = 0;
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
      error_ = std::make_exception_ptr(KernelError("kernel " + kernel_text() + ", block " + text(block_index) +
                                                   ": wrote past its " + std::to_string(launch_->shared_bytes) +
                                                   " bytes of dynamic shared memory"));
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
  if (error_ || ready_count_ == 0) return -1;
  int& first = ready_[ready_head_];
  if (order == Order::kRandom) std::swap(first, ready_[(ready_head_ + random() % ready_count_) % kMaxThreads]);
  ready_head_ = (ready_head_ + 1) % kMaxThreads;
  --ready_count_;
  return first;
}

// The fiber that a ready thread was suspended on, or one to start it on.
Fiber* Scheduler::fiber_for(int thread) {
  Thread& t = threads_[thread];
  if (t.started) return t.fiber;
  if (kFiberPerThread) return t.fiber = own_[set_][thread].get();
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

// Suspends the running thread until someone made it ready. Everyone goes through the queue, so that the order of
// threads is the same after a barrier as before it.
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

std::string Scheduler::describe(int thread) const {
  return "kernel " + kernel_text() + ", block " + text(block_index) + ", thread " + text(threads_[thread].index);
}

}  // namespace detail

void set_order(Order order, uint64_t seed) {
  detail::scheduler().order = order;
  detail::scheduler().seed = seed;
}

const char* name_of(Order order) { return order == Order::kUp ? "up" : order == Order::kDown ? "down" : "random"; }

Statistics statistics() { return detail::scheduler().statistics; }

std::vector<KernelRun> kernels_run() {
  std::vector<KernelRun> runs;
  for (const auto& [kernel, record] : detail::scheduler().launches) {
    const detail::KernelName name = detail::kernel_name(kernel);
    runs.push_back({name.name, name.instance, record.launches, record.threads, record.shared_bytes});
  }
  return runs;
}

}  // namespace ghost::simt
