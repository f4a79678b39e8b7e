// The detector's neck: enlargement and pyramid pooling.
#include <gtest/gtest.h>

#include "kernels/pyramid_pool.h"
#include "kernels/upsample.h"
#include "tests/simt/feature_inputs.h"

namespace ghost {
namespace {

Shape enlarged(const Shape& map) { return {map[0], 2 * map[1], 2 * map[2], map[3]}; }

TEST(UpsampleSimt, ForwardAndBackward) {
  for (const simt::MapCase& map : simt::kMaps) {
    const simt::Surrounded x =
        simt::random_map(map.shape, {.seed = 2, .before = map.pitch.before, .after = map.pitch.after});
    const simt::Surrounded dz = simt::random_map(enlarged(map.shape), {.seed = 3, .before = 4});
    const Tensor expected = simt::empty_double(enlarged(map.shape));
    cpu::upsample2x_forward(simt::to_double(x), expected);
    for (const bool accumulate : {false, true}) {
      const Tensor expected_dx = simt::to_double(x);
      cpu::upsample2x_backward(simt::to_double(dz), expected_dx, accumulate);
      simt::for_each_order([&] {
        const simt::Surrounded z = simt::empty_map(enlarged(map.shape), {.before = 1, .after = 2});
        simt::upsample2x_forward(x, z);
        simt::expect_close({"upsample2x", describe(map), 2}, z, expected, simt::kLimit);
        const simt::Surrounded dx = simt::copy_map(x, map.pitch.before, map.pitch.after);
        simt::upsample2x_backward(dz, dx, accumulate);
        simt::expect_close({"upsample2x dx", describe(map), 3}, dx, expected_dx, simt::kLimit);
      });
    }
  }
}

TEST(PyramidPoolSimt, ForwardAndBackward) {
  const std::vector<int> sizes{5, 3};
  for (const simt::MapCase& map : simt::kMaps) {
    const int64_t c = map.shape[3];
    Shape wide = map.shape;
    wide.set(3, 3 * c);
    const simt::Surrounded filled = simt::random_map(wide, {.seed = 5});
    const simt::Surrounded dy = simt::random_map(wide, {.seed = 6, .before = 2});
    const Tensor expected = simt::to_double(filled);
    Shape two = map.shape;
    two.set(3, 2 * c);
    const Tensor places(two, {DType::kInt32, Device::cpu()});
    cpu::pyramid_pool_forward(expected, sizes, places);
    for (const bool accumulate : {false, true}) {
      const simt::Surrounded old = simt::random_map(map.shape, {.seed = 7});
      const Tensor expected_dx = simt::to_double(old);
      cpu::pyramid_pool_backward(simt::to_double(dy), places, expected_dx, accumulate);
      simt::for_each_order([&] {
        const simt::Surrounded y = simt::copy_map(filled, 1, 2);
        const Tensor found(two, {DType::kInt32, Device::cpu()});
        simt::pyramid_pool_forward(y, sizes, found);
        simt::expect_close({"pyramid_pool", describe(map), 5}, y, expected, simt::kLimit);
        EXPECT_EQ(found.to_vector(), places.to_vector());
        const simt::Surrounded dx = simt::copy_map(old, map.pitch.before, map.pitch.after);
        simt::pyramid_pool_backward(dy, found, dx, accumulate);
        simt::expect_close({"pyramid_pool dx", describe(map), 6}, dx, expected_dx, simt::kLimit);
      });
    }
  }
}

}  // namespace
}  // namespace ghost
