// With GHOST_TEST_SIMD=baseline in the environment a test program runs the SIMD kernels compiled for every machine of
// this architecture (on x86-64 what a CPU without AVX2 gets) instead of the best ones.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/baseline_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ghost::HWY_NAMESPACE {
int64_t compiled_target() { return HWY_TARGET; }
}  // namespace ghost::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ghost {
namespace {

HWY_EXPORT(compiled_target);

bool baseline_wanted() {
  const char* const wanted = std::getenv("GHOST_TEST_SIMD");
  return wanted != nullptr && std::string_view(wanted) == "baseline";
}

class BaselineSimd : public testing::Environment {
 public:
  void SetUp() override {
    if (!baseline_wanted()) return;
    hwy::SetSupportedTargetsForTest(HWY_STATIC_TARGET);
    ASSERT_EQ(HWY_DYNAMIC_DISPATCH(compiled_target)(), HWY_STATIC_TARGET);
  }
};

const testing::Environment* const kBaselineSimd = testing::AddGlobalTestEnvironment(new BaselineSimd);

}  // namespace
}  // namespace ghost
#endif  // HWY_ONCE
