// A stack of its own and the switch to it. Tells AddressSanitizer and ThreadSanitizer what it does where they are on
// (GHOST_SIMT_ASAN, GHOST_SIMT_TSAN); this code itself is compiled without them.
#pragma once

#include <cstddef>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

namespace ghost::simt::detail {

class Fiber {
 public:
  Fiber() = default;  // the calling thread's own stack: only a place to switch back to
  explicit Fiber(void (*entry)());
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Gives the running fiber (`this`) up for `to`; returns when something switches back.
  void switch_to(Fiber& to);
  // First statement of an entry function.
  static void on_entry();
  // Forgets what a suspended fiber was doing; it starts at its entry function again.
  void restart();
  // Makes what the suspended fiber did visible to who acquires `address` (ThreadSanitizer only).
  void release_under_tsan(void* address);
  // Calling thread's fiber: takes its identity under ThreadSanitizer. Once per use, before switch_to.
  void adopt_calling_thread();

 private:
  void prepare();
  void* stack_pointer_ = nullptr;
  void (*entry_)() = nullptr;
  char* mapping_ = nullptr;  // guard page, then the stack
  const void* stack_bottom_ = nullptr;
  size_t stack_size_ = 0;
  [[maybe_unused]] void* fake_stack_ = nullptr;  // AddressSanitizer's
  [[maybe_unused]] void* tsan_ = nullptr;        // ThreadSanitizer's
  static Fiber* previous_;                       // who switched here
#if !defined(__x86_64__) && !defined(__aarch64__)
  ucontext_t context_{};
#endif
};

}  // namespace ghost::simt::detail
