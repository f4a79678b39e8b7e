// What g++ calls before each access to memory in a .cu file (-fsanitize=kernel-address, whose runtime is the program's
// own affair). Not for accesses to local variables that stay in registers.
#include "tests/standin/standin.h"

using ghost::standin::note_access;
using ghost::standin::watching;

#define GHOST_STANDIN_HOOKS(bytes)                    \
  void __asan_load##bytes##_noabort(void* pointer) {  \
    if (watching) note_access(pointer, bytes, false); \
  }                                                   \
  void __asan_store##bytes##_noabort(void* pointer) { \
    if (watching) note_access(pointer, bytes, true);  \
  }

extern "C" {
GHOST_STANDIN_HOOKS(1)
GHOST_STANDIN_HOOKS(2)
GHOST_STANDIN_HOOKS(4)
GHOST_STANDIN_HOOKS(8)
GHOST_STANDIN_HOOKS(16)
void __asan_loadN_noabort(void* pointer, size_t bytes) {
  if (watching) note_access(pointer, bytes, false);
}
void __asan_storeN_noabort(void* pointer, size_t bytes) {
  if (watching) note_access(pointer, bytes, true);
}
void __asan_handle_no_return() {}
}
