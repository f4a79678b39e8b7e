#include "tests/simt/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <new>

#ifdef GHOST_SIMT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef GHOST_SIMT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace ghost::simt::detail {
namespace {

#if defined(GHOST_SIMT_ASAN) || defined(GHOST_SIMT_TSAN)
constexpr size_t kStackBytes = 256 << 10;
#else
constexpr size_t kStackBytes = 64 << 10;
#endif

}  // namespace

// Saves the callee-saved registers on the running stack, its end in *save; continues where `load` was saved.
#if defined(__x86_64__)
extern "C" void ghost_simt_switch(void** save, void* load);
asm(R"(
.text
.type ghost_simt_switch, @function
ghost_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size ghost_simt_switch, .-ghost_simt_switch
)");
constexpr int kSavedWords = 8, kReturnWord = 6;  // six registers, return address, and a 0 that ends backtraces
#elif defined(__aarch64__)
extern "C" void ghost_simt_switch(void** save, void* load);
asm(R"(
.text
.type ghost_simt_switch, %function
ghost_simt_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size ghost_simt_switch, .-ghost_simt_switch
)");
constexpr int kSavedWords = 20, kReturnWord = 11;
#endif

Fiber* Fiber::previous_ = nullptr;

Fiber::Fiber(void (*entry)()) : entry_(entry) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* mapping =
      mmap(nullptr, kStackBytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  mprotect(mapping, page, PROT_NONE);
  mapping_ = static_cast<char*>(mapping);
  stack_bottom_ = mapping_ + page;
  stack_size_ = kStackBytes;
  prepare();
}

Fiber::~Fiber() {
  if (mapping_ == nullptr) return;
#ifdef GHOST_SIMT_TSAN
  __tsan_destroy_fiber(tsan_);
#endif
  munmap(mapping_, stack_size_ + (static_cast<const char*>(stack_bottom_) - mapping_));
}

void Fiber::prepare() {
#ifdef GHOST_SIMT_TSAN
  tsan_ = __tsan_create_fiber(0);
#endif
#if defined(__x86_64__) || defined(__aarch64__)
  // The stack's end is 16-byte aligned, as both calling conventions want it before a call.
  char* top = mapping_ + (static_cast<const char*>(stack_bottom_) - mapping_) + stack_size_;
  auto* words = reinterpret_cast<void**>(top) - kSavedWords;
  std::memset(words, 0, kSavedWords * sizeof(void*));
  words[kReturnWord] = reinterpret_cast<void*>(entry_);
  stack_pointer_ = words;
#else
  getcontext(&context_);
  context_.uc_stack.ss_sp = const_cast<void*>(stack_bottom_);
  context_.uc_stack.ss_size = stack_size_;
  context_.uc_link = nullptr;
  makecontext(&context_, entry_, 0);
#endif
}

void Fiber::restart() {
#ifdef GHOST_SIMT_TSAN
  __tsan_destroy_fiber(tsan_);
#endif
#ifdef GHOST_SIMT_ASAN
  __asan_unpoison_memory_region(stack_bottom_, stack_size_);
  fake_stack_ = nullptr;
#endif
  prepare();
}

void Fiber::release_under_tsan([[maybe_unused]] void* address) {
#ifdef GHOST_SIMT_TSAN
  void* const self = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(tsan_, __tsan_switch_to_fiber_no_sync);
  __tsan_release(address);
  __tsan_switch_to_fiber(self, __tsan_switch_to_fiber_no_sync);
#endif
}

void Fiber::adopt_calling_thread() {
#ifdef GHOST_SIMT_TSAN
  tsan_ = __tsan_get_current_fiber();
#endif
}

void Fiber::on_entry() {
#ifdef GHOST_SIMT_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &previous_->stack_bottom_, &previous_->stack_size_);
#endif
}

void Fiber::switch_to(Fiber& to) {
  previous_ = this;
#ifdef GHOST_SIMT_ASAN
  __sanitizer_start_switch_fiber(&fake_stack_, to.stack_bottom_, to.stack_size_);
#endif
#ifdef GHOST_SIMT_TSAN
  __tsan_switch_to_fiber(to.tsan_, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(__x86_64__) || defined(__aarch64__)
  ghost_simt_switch(&stack_pointer_, to.stack_pointer_);
#else
  swapcontext(&context_, &to.context_);
#endif
#ifdef GHOST_SIMT_ASAN
  const void* bottom = nullptr;
  size_t size = 0;
  __sanitizer_finish_switch_fiber(fake_stack_, &bottom, &size);
  previous_->stack_bottom_ = bottom;
  previous_->stack_size_ = size;
#endif
}

}  // namespace ghost::simt::detail
