// Comparison of what a detector found, to the bit.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/yolo_decode.h"

namespace ghost::simt {

using Found = std::vector<std::vector<ScoredBox>>;

inline void expect_same(const Found& got, const Found& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t image = 0; image < got.size(); ++image) {
    SCOPED_TRACE("picture " + std::to_string(image));
    ASSERT_EQ(got[image].size(), want[image].size());
    for (size_t i = 0; i < got[image].size(); ++i) {
      ASSERT_EQ(got[image][i].label, want[image][i].label) << i;
      ASSERT_EQ(got[image][i].score, want[image][i].score) << i;
      ASSERT_EQ(got[image][i].box, want[image][i].box) << i;
    }
  }
}

}  // namespace ghost::simt
