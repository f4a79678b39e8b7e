#include <gtest/gtest.h>

#include "core/cuda_probe.h"

namespace ghost {
namespace {

TEST(ProbeSimt, Answers) {
  int answer = 0;
  simt::probe(41, &answer, nullptr);
  EXPECT_EQ(answer, 42);
}

}  // namespace
}  // namespace ghost
