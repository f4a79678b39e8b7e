// tensor_copy, tensor_fill and tensor_add of core/tensor_cuda.cu.
#include <gtest/gtest.h>

#include "core/tensor_ops.h"
#include "tests/simt/feature_inputs.h"

namespace ghost {
namespace {

constexpr DType kTypes[] = {DType::kFloat32, DType::kFloat64, DType::kInt32,   DType::kInt64,
                            DType::kUInt8,   DType::kFloat16, DType::kBFloat16};

// A map of bytes that differ from place to place, whatever its type.
simt::Surrounded numbered(const simt::MapCase& map, DType dtype) {
  simt::Surrounded result(map.shape, {.before = map.pitch.before, .after = map.pitch.after, .dtype = dtype});
  const Tensor& view = result.view();
  const int64_t row = view.channels() * size_of(dtype);
  for (int64_t pixel = 0; pixel < view.pixels(); ++pixel)
    for (int64_t i = 0; i < row; ++i)
      static_cast<unsigned char*>(view.raw_data())[pixel * view.pitch() * size_of(dtype) + i] =
          static_cast<unsigned char>((pixel * row + i) * 7 + 3);
  return result;
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  const int64_t size = size_of(a.dtype());
  for (int64_t pixel = 0; pixel < a.pixels(); ++pixel)
    if (std::memcmp(static_cast<char*>(a.raw_data()) + pixel * a.pitch() * size,
                    static_cast<char*>(b.raw_data()) + pixel * b.pitch() * size,
                    static_cast<size_t>(a.channels() * size)) != 0)
      return false;
  return true;
}

TEST(TensorSimt, CopyOfEveryTypeAndPitch) {
  for (const simt::MapCase& map : simt::kMaps) {
    for (const DType dtype : kTypes) {
      const simt::Surrounded source = numbered(map, dtype);
      for (const int64_t before : {0, 1, 4}) {
        simt::for_each_order([&] {
          const simt::Surrounded target(map.shape, {.before = before, .dtype = dtype});
          simt::tensor_copy(source, target);
          EXPECT_TRUE(same_bytes(source, target)) << dtype << ", " << describe(map) << " to channel " << before;
        });
      }
    }
  }
}

TEST(TensorSimt, Fill) {
  for (const simt::MapCase& map : simt::kMaps) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kInt32, DType::kInt64, DType::kUInt8}) {
      simt::for_each_order([&] {
        const simt::Surrounded target(map.shape,
                                      {.before = map.pitch.before, .after = map.pitch.after, .dtype = dtype});
        simt::tensor_fill(target, 41);
        const std::vector<double> values = target.view().to_vector();
        EXPECT_EQ(std::count(values.begin(), values.end(), 41.0), target.view().numel())
            << dtype << ", " << describe(map);
      });
    }
  }
}

TEST(TensorSimt, Add) {
  for (const simt::MapCase& map : simt::kMaps) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      const simt::Surrounded addend =
          simt::random_map(map.shape, {.seed = 2, .before = map.pitch.before, .dtype = dtype});
      const simt::Surrounded old = simt::random_map(map.shape, {.seed = 3, .dtype = dtype});
      const Tensor expected = old.view().clone();
      cpu::tensor_add(addend, expected);
      simt::for_each_order([&] {
        const simt::Surrounded target = simt::copy_map(old, map.pitch.after, map.pitch.before);
        simt::tensor_add(addend, target);
        simt::expect_close({"tensor_add", str(dtype, ", ", describe(map)), 2}, target, expected, 0);
      });
    }
  }
}

TEST(TensorSimt, NothingForNoElements) {
  const Tensor none({0, 4});
  simt::tensor_copy(none, none);
  simt::tensor_fill(none, 1);
  simt::tensor_add(none, none);
}

}  // namespace
}  // namespace ghost
