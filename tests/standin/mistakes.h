#pragma once

#include <gtest/gtest.h>

#include "tests/standin/standin.h"

namespace ghost::standin {

// Fails the test for each mistake that the stand-ins have seen since this was last asked.
inline void expect_no_mistakes() {
  for (const std::string& mistake : take_mistakes()) ADD_FAILURE() << mistake;
}

}  // namespace ghost::standin
