// One pool of compute threads. The caller cuts the work into tasks whose size depends on the problem alone, never on
// the thread count; each task writes its own outputs (or its own partial sum, added up in task order afterwards). So
// results are the same bits for 1, 2 or 64 threads.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace ghost {

// Number of compute threads, the caller included. Default: GHOSTTRAIN_THREADS, else the CPUs this process may use.
int compute_threads();
void set_compute_threads(int count);  // >= 1; call while no parallel_for runs

// A borrowed callable: cheaper than std::function, must outlive the call.
template <class Signature>
class FunctionRef;
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, FunctionRef>>>
  FunctionRef(F&& f)  // NOLINT(google-explicit-constructor): a lambda is passed where a FunctionRef is taken
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, Args... args) -> R {
          return (*static_cast<std::add_pointer_t<std::remove_reference_t<F>>>(object))(static_cast<Args>(args)...);
        }) {}
  R operator()(Args... args) const { return call_(object_, static_cast<Args>(args)...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

// Runs body(task) for task in [0, tasks), in any order, on any compute thread; returns when all are done. The first
// exception is rethrown. A parallel_for inside a task runs serially on that thread.
void parallel_for(int64_t tasks, FunctionRef<void(int64_t task)> body);

// Cuts [0, count) into chunks of `chunk` items (the last may be shorter) and runs body(begin, end) on each.
inline void parallel_chunks(int64_t count, int64_t chunk, FunctionRef<void(int64_t begin, int64_t end)> body) {
  if (count <= 0) return;
  parallel_for((count + chunk - 1) / chunk, [&](int64_t task) {
    const int64_t begin = task * chunk;
    body(begin, begin + chunk < count ? begin + chunk : count);
  });
}

// Scratch memory of the calling thread, 64-byte aligned, at least `bytes`; kept for reuse, contents undefined. `slot`
// names one of a few independent buffers, so that a kernel can hold several at once.
void* thread_scratch(int slot, int64_t bytes);
template <class T>
T* scratch(int slot, int64_t count) {
  return static_cast<T*>(thread_scratch(slot, count * static_cast<int64_t>(sizeof(T))));
}

}  // namespace ghost
