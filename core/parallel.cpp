#include "core/parallel.h"

#include <sched.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "core/allocator.h"
#include "core/error.h"

namespace ghost {
namespace {

thread_local bool inside_task = false;

int default_threads() {
  if (const char* text = std::getenv("GHOSTTRAIN_THREADS")) {
    const int count = std::atoi(text);
    GHOST_CHECK(count >= 1, "GHOSTTRAIN_THREADS is '", text, "'; it needs a number of threads, 1 or more");
    return count;
  }
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
  return std::max(1u, std::thread::hardware_concurrency());
}

inline void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// A step of training runs hundreds of short jobs one after another; waking a sleeping thread costs as much as some of
// them. So waiting begins with looking, for some tens of microseconds.
template <class Ready>
bool soon(const Ready& ready) {
  for (int i = 0; i < 2000; ++i) {
    if (ready()) return true;
    pause_cpu();
  }
  return false;
}

// Workers wait for a job, take task numbers from a shared counter, and report back. One job runs at a time.
class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  }
  ~Pool() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }
  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  void run(int64_t tasks, FunctionRef<void(int64_t)> body) {
    std::lock_guard one_job(job_mutex_);
    {
      std::lock_guard lock(mutex_);
      body_ = &body;
      tasks_ = tasks;
      next_.store(0, std::memory_order_relaxed);
      error_ = nullptr;
      busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
      job_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    take_tasks();
    const auto all_done = [this] { return busy_.load(std::memory_order_acquire) == 0; };
    if (!soon(all_done)) {
      std::unique_lock lock(mutex_);
      done_.wait(lock, all_done);
    }
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void take_tasks() {
    inside_task = true;
    for (;;) {
      const int64_t task = next_.fetch_add(1, std::memory_order_relaxed);
      if (task >= tasks_) break;
      try {
        (*body_)(task);
      } catch (...) {
        std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
        next_.store(tasks_, std::memory_order_relaxed);
      }
    }
    inside_task = false;
  }

  void work() {
    for (int64_t seen = 0;; ++seen) {
      const auto called = [&] { return stop_.load() || job_.load(std::memory_order_acquire) != seen; };
      if (!soon(called)) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, called);
      }
      if (stop_) return;
      take_tasks();
      if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        const std::lock_guard lock(mutex_);
        done_.notify_one();
      }
    }
  }

  std::mutex job_mutex_, mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
  const FunctionRef<void(int64_t)>* body_ = nullptr;
  std::atomic<int64_t> next_{0}, job_{0};
  int64_t tasks_ = 0;
  std::atomic<int> busy_{0};
  std::atomic<bool> stop_{false};
  std::exception_ptr error_;
};

std::mutex pool_mutex;
std::unique_ptr<Pool>& pool() {
  static std::unique_ptr<Pool> instance;
  return instance;
}

Pool& the_pool() {
  std::lock_guard lock(pool_mutex);
  if (!pool()) pool() = std::make_unique<Pool>(default_threads());
  return *pool();
}

}  // namespace

int compute_threads() { return the_pool().threads(); }

void set_compute_threads(int count) {
  GHOST_CHECK(count >= 1, "compute threads: got ", count, ", need 1 or more");
  std::lock_guard lock(pool_mutex);
  if (pool() && pool()->threads() == count) return;
  pool().reset();
  pool() = std::make_unique<Pool>(count);
}

void parallel_for(int64_t tasks, FunctionRef<void(int64_t)> body) {
  if (tasks <= 0) return;
  if (tasks == 1 || inside_task) {
    for (int64_t task = 0; task < tasks; ++task) body(task);
    return;
  }
  the_pool().run(tasks, body);
}

void* thread_scratch(int slot, int64_t bytes) {
  struct Buffer {
    std::shared_ptr<void> memory;
    int64_t bytes = 0;
  };
  thread_local std::vector<Buffer> buffers;
  if (slot >= static_cast<int>(buffers.size())) buffers.resize(slot + 1);
  Buffer& buffer = buffers[slot];
  if (buffer.bytes < bytes) {
    buffer.memory.reset();
    buffer.memory = host_allocate(bytes);
    buffer.bytes = bytes;
  }
  return buffer.memory.get();
}

}  // namespace ghost
