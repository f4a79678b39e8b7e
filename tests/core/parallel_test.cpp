#include "core/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/error.h"
#include "tests/support/expect.h"

namespace ghost {
namespace {

// Runs each test with several thread counts and puts the old one back.
class Parallel : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_compute_threads(GetParam()); }
  void TearDown() override { set_compute_threads(before_); }
  int before_ = compute_threads();
};
INSTANTIATE_TEST_SUITE_P(Threads, Parallel, testing::Values(1, 2, 3, 8));

TEST_P(Parallel, RunsEveryTaskOnce) {
  EXPECT_EQ(compute_threads(), GetParam());
  for (const int64_t tasks : {0, 1, 2, 3, 1000}) {
    std::vector<std::atomic<int>> runs(static_cast<size_t>(tasks));
    parallel_for(tasks, [&](int64_t task) { ++runs[static_cast<size_t>(task)]; });
    for (const std::atomic<int>& count : runs) ASSERT_EQ(count, 1);
  }
}

TEST_P(Parallel, ManyShortJobsInARow) {
  std::atomic<int64_t> sum = 0;
  for (int job = 0; job < 5000; ++job) parallel_for(3, [&](int64_t task) { sum += task; });
  EXPECT_EQ(sum, 15000);
}

TEST_P(Parallel, ChunksCoverTheRange) {
  for (const int64_t count : {0, 1, 9, 10, 11, 35}) {
    std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
    parallel_chunks(count, 10, [&](int64_t begin, int64_t end) {
      EXPECT_EQ(begin % 10, 0);
      EXPECT_LE(end - begin, 10);
      for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
    });
    for (const std::atomic<int>& times : seen) EXPECT_EQ(times, 1);
  }
}

TEST_P(Parallel, RethrowsAndGoesOn) {
  for (int round = 0; round < 20; ++round) {
    EXPECT_THROW(parallel_for(100,
                              [](int64_t task) {
                                if (task == 37) throw std::runtime_error("task 37");
                              }),
                 std::runtime_error);
    std::atomic<int> runs = 0;
    parallel_for(100, [&](int64_t) { ++runs; });
    EXPECT_EQ(runs, 100);
  }
}

TEST_P(Parallel, NestedLoopsRunOnTheSameThread) {
  std::atomic<int> runs = 0;
  parallel_for(7, [&](int64_t) {
    const std::thread::id self = std::this_thread::get_id();
    parallel_for(5, [&](int64_t) {
      EXPECT_EQ(std::this_thread::get_id(), self);
      ++runs;
    });
  });
  EXPECT_EQ(runs, 35);
}

TEST_P(Parallel, AnExceptionInANestedLoopComesOut) {
  EXPECT_THROW(parallel_for(4,
                            [](int64_t) {
                              parallel_for(4, [](int64_t inner) {
                                if (inner == 2) throw std::runtime_error("inner");
                              });
                            }),
               std::runtime_error);
}

TEST_P(Parallel, SeveralCallersTakeTurns) {
  std::vector<int64_t> sums(4);
  std::vector<std::thread> callers;
  for (size_t c = 0; c < sums.size(); ++c)
    callers.emplace_back([&, c] {
      for (int job = 0; job < 200; ++job) {
        std::atomic<int64_t> sum = 0;
        parallel_for(10, [&](int64_t task) { sum += task; });
        sums[c] += sum;
      }
    });
  for (std::thread& caller : callers) caller.join();
  for (const int64_t sum : sums) EXPECT_EQ(sum, 200 * 45);
}

TEST(ParallelScratch, IsAlignedReusedAndApart) {
  char* const first = scratch<char>(0, 100);
  char* const second = scratch<char>(1, 100);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
  EXPECT_NE(first, second);
  EXPECT_EQ(scratch<char>(0, 50), first);
  std::thread([&] { EXPECT_NE(scratch<char>(0, 100), first); }).join();
  scratch<char>(0, 1 << 20)[(1 << 20) - 1] = 1;
}

TEST(ParallelThreads, RefusesNone) {
  test::expect_error(ErrorKind::kUsage, "got 0", [] { set_compute_threads(0); });
}

}  // namespace
}  // namespace ghost
