#include "core/meta.h"

#include <gtest/gtest.h>

#include "core/allocator.h"
#include "core/tape.h"

namespace ghost {
namespace {

const TensorOptions kMeta{DType::kFloat32, Device::meta()};

TEST(Meta, IsADeviceOfItsOwn) {
  EXPECT_FALSE(Device::meta().is_cpu() || Device::meta().is_cuda());
  EXPECT_EQ(Device::meta().name(), "meta");
  EXPECT_FALSE(Device::cpu().is_meta());
  EXPECT_THROW(Device::parse("meta"), Error);  // no device to train on
}

TEST(Meta, BlocksAreCudas) {
  EXPECT_EQ(device_block_size(1), 512);
  EXPECT_EQ(device_block_size(513), 1024);
  EXPECT_EQ(device_block_size(8192), 8192);
  EXPECT_EQ(device_block_size(8193), 9216);  // a multiple of an eighth of 8192
  EXPECT_EQ(device_block_size(1000000), 1048576);
}

TEST(Meta, MemoryIsCountedAndNotTaken) {
  release_cached(Device::meta());
  const MemoryStats before = memory_stats(Device::meta());
  {
    const Tensor huge({1 << 20, 1 << 20}, kMeta);  // 4 TiB
    EXPECT_EQ(memory_stats(Device::meta()).in_use - before.in_use, int64_t{4} << 40);
    EXPECT_NE(huge.raw_data(), nullptr);
    const Tensor other({4}, kMeta);
    EXPECT_NE(other.raw_data(), huge.raw_data());
    EXPECT_EQ(huge.channels(16, 16).raw_data(), static_cast<char*>(huge.raw_data()) + 64);
  }
  EXPECT_EQ(memory_stats(Device::meta()).in_use, before.in_use);
  EXPECT_EQ(memory_stats(Device::meta()).cached, (int64_t{4} << 40) + 512);
  const int64_t asked = memory_stats(Device::meta()).system_allocations;
  const Tensor again({1 << 20, 1 << 20}, kMeta);
  EXPECT_EQ(memory_stats(Device::meta()).system_allocations, asked);
}

TEST(Meta, OpsAreCountedUnderTheirModule) {
  const Tensor a({2, 3, 3, 4}, kMeta);
  const KernelCount count;
  a.fill(1);
  {
    const ModulePath outer("blocks"), inner("0");
    a.channels(0, 2).add_in_place(a.channels(2, 2));
  }
  ASSERT_EQ(count.kernels().size(), 2u);
  EXPECT_EQ(count.kernels()[0].name, "tensor_fill_kernel");
  EXPECT_EQ(count.kernels()[0].bytes, 72 * 4);
  EXPECT_EQ(count.kernels()[1].path, "blocks.0");
  EXPECT_EQ(count.kernels()[1].bytes, 3 * 36 * 4);  // both read, one written
}

TEST(Meta, NothingIsCountedForEmptyTensors) {
  const KernelCount count;
  const Tensor none({0, 3}, kMeta);
  none.fill(1);
  none.copy_from(Tensor({0, 3}, kMeta));
  EXPECT_TRUE(count.kernels().empty());
}

TEST(Meta, ReadsAreZerosAndCopiesAreCounted) {
  const KernelCount count;
  const Tensor there = Tensor::full({3}, 7).to(Device::meta());
  EXPECT_EQ(there.to_vector(), (std::vector<double>{0, 0, 0}));
  ASSERT_EQ(count.kernels().size(), 2u);
  for (const CountedKernel& kernel : count.kernels()) {
    EXPECT_EQ(kernel.run_by, RunBy::kCopy);
    EXPECT_EQ(kernel.bytes, 12);
  }
}

TEST(Meta, ScopesNest) {
  const Tensor a({4}, kMeta);
  const KernelCount outer;
  {
    const KernelCount inner;
    a.fill(0);
    EXPECT_EQ(inner.kernels().size(), 1u);
  }
  EXPECT_TRUE(outer.kernels().empty());
}

}  // namespace
}  // namespace ghost
