#include <gtest/gtest.h>

#include "kernels/pool.h"
#include "tests/simt/feature_inputs.h"

namespace ghost {
namespace {

Shape pooled_shape(const Shape& map) { return {map[0], 1, 1, map[-1]}; }

TEST(PoolSimt, Forward) {
  for (const simt::MapCase& map : simt::kMaps) {
    for (const simt::EpilogueCase& options :
         {simt::EpilogueCase{}, {true, Activation::kRelu, true}, {true, Activation::kHardSwish, false}}) {
      const simt::Surrounded z =
          simt::random_map(map.shape, {.seed = 2, .before = map.pitch.before, .after = map.pitch.after, .high = 2});
      const Epilogue epilogue = simt::random_epilogue(map.shape, options, 2);
      const Tensor expected = simt::empty_double(pooled_shape(map.shape));
      cpu::global_average_pool_forward(simt::to_double(z), simt::to_double(epilogue), expected);
      simt::for_each_order([&] {
        const simt::Surrounded y = simt::empty_map(pooled_shape(map.shape), {.before = 1, .after = 2});
        simt::global_average_pool_forward(z, epilogue, y);
        simt::expect_close({"global_average_pool", str(options, ", ", describe(map)), 2}, y, expected, simt::kLimit);
      });
    }
  }
}

TEST(PoolSimt, Backward) {
  for (const simt::MapCase& map : simt::kMaps) {
    const simt::Surrounded dy = simt::random_map(pooled_shape(map.shape), {.seed = 3, .before = 1});
    const simt::Surrounded old = simt::random_map(map.shape, {.seed = 4});
    for (const bool accumulate : {false, true}) {
      const Tensor expected = simt::to_double(old);
      cpu::global_average_pool_backward(simt::to_double(dy), expected, accumulate);
      simt::for_each_order([&] {
        const simt::Surrounded dx = simt::copy_map(old, map.pitch.before, map.pitch.after);
        simt::global_average_pool_backward(dy, dx, accumulate);
        simt::expect_close({"global_average_pool dx", describe(map), 3}, dx, expected, simt::kLimit);
      });
    }
  }
}

TEST(PoolSimt, EmptyMapsStartNothing) {
  const Tensor none({0, 3, 3, 4}), pooled({0, 1, 1, 4});
  simt::global_average_pool_forward(none, {}, pooled);
  simt::global_average_pool_backward(pooled, none, false);
}

}  // namespace
}  // namespace ghost
