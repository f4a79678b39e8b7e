#include "core/allocator.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "core/random.h"

namespace ghost {
namespace {

MemoryStats stats() { return memory_stats(Device::cpu()); }

TEST(Allocator, BlocksAreAlignedAndApart) {
  std::vector<std::shared_ptr<void>> blocks;
  for (const int64_t bytes : {1, 63, 64, 65, 4096, 3 << 20}) {
    blocks.push_back(host_allocate(bytes));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back().get()) % 64, 0u);
    std::memset(blocks.back().get(), static_cast<int>(blocks.size()), static_cast<size_t>(bytes));
  }
  for (size_t i = 0; i < blocks.size(); ++i) EXPECT_EQ(*static_cast<char*>(blocks[i].get()), static_cast<char>(i + 1));
  EXPECT_EQ(host_allocate(0), nullptr);
}

TEST(Allocator, CountsWhatIsInUse) {
  const MemoryStats before = stats();
  {
    const auto block = host_allocate(1000);
    EXPECT_EQ(stats().in_use, before.in_use + 1024);
    EXPECT_EQ(stats().allocations, before.allocations + 1);
  }
  EXPECT_EQ(stats().in_use, before.in_use);
  reset_peak(Device::cpu());
  EXPECT_EQ(stats().peak, before.in_use);
  { const auto block = host_allocate(1 << 20); }
  EXPECT_EQ(stats().peak, before.in_use + (1 << 20));
}

// The same sizes again and again, as in a training step: nothing more is asked of the system.
TEST(Allocator, ARepeatedLoopAsksTheSystemForNothing) {
  const auto step = [] {
    Rng rng(1, 2);
    std::vector<std::shared_ptr<void>> kept;
    for (int i = 0; i < 300; ++i) {
      kept.push_back(host_allocate(1 + rng.below(1 << 20)));
      if (rng.chance(0.5f)) kept.erase(kept.begin() + rng.below(static_cast<int64_t>(kept.size())));
    }
  };
  step();
  step();
  const int64_t before = stats().system_allocations;
  for (int i = 0; i < 20; ++i) step();
  EXPECT_EQ(stats().system_allocations, before);
}

TEST(Allocator, MergesNeighbours) {
  release_cached(Device::cpu());
  // One arena cut into 64 blocks, given back in an order that needs merging to the left, to the right and on both
  // sides.
  std::vector<std::shared_ptr<void>> blocks;
  for (int i = 0; i < 64; ++i) blocks.push_back(host_allocate(1 << 20));
  const int64_t before = stats().system_allocations;
  for (size_t i = 0; i < 64; i += 2) blocks[i].reset();
  for (size_t i = 63; i < 64; i -= 2) blocks[i].reset();
  const auto whole = host_allocate(64 << 20);
  EXPECT_EQ(stats().system_allocations, before);
}

TEST(Allocator, GivesWholeArenasBack) {
  { const auto block = host_allocate(200 << 20); }
  EXPECT_GE(stats().cached, 200 << 20);
  release_cached(Device::cpu());
  EXPECT_LT(stats().cached, 64 << 20);
  const auto again = host_allocate(1 << 20);
  std::memset(again.get(), 1, 1 << 20);
}

TEST(Allocator, ServesSeveralThreads) {
  const int64_t before = stats().in_use;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      Rng rng(9, static_cast<uint64_t>(t));
      for (int i = 0; i < 500; ++i) {
        const int64_t bytes = 1 + rng.below(100000);
        const auto block = host_allocate(bytes);
        std::memset(block.get(), t, static_cast<size_t>(bytes));
        const char* const bytes_of = static_cast<char*>(block.get());
        ASSERT_EQ(bytes_of[0], t);
        ASSERT_EQ(bytes_of[bytes - 1], t);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stats().in_use, before);
}

}  // namespace
}  // namespace ghost
