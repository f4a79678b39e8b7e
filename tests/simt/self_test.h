// What the tests of the tool itself share.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/simt/scheduler.h"

namespace ghost {

#if defined(GHOST_SIMT_TSAN)
inline constexpr bool kTsan = true;
#else
inline constexpr bool kTsan = false;
#endif
#if defined(GHOST_SIMT_ASAN)
inline constexpr bool kAsan = true;
#else
inline constexpr bool kAsan = false;
#endif

template <class Body>
std::string error_of(const Body& body) {
  try {
    body();
  } catch (const simt::KernelError& error) {
    return error.what();
  }
  return "no error";
}

// A race is an error for ThreadSanitizer, which reports it and lets the program end with 66.
template <class Body>
void expect_tsan_report(const Body& body) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        body();
        std::exit(0);
      },
      testing::ExitedWithCode(66), "data race");
}

}  // namespace ghost
