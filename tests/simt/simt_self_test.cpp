// The tool is tested on kernels with known results; simt_errors_test.cpp has those with known mistakes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "core/launch.h"
#include "tests/simt/compare.h"
#include "tests/simt/self_test.h"

namespace ghost {
namespace {

using testing::HasSubstr;

template <int kThreads, class T>
__global__ void block_sum_kernel(const T* __restrict__ x, T* __restrict__ sums, int count) {
  __shared__ T partial[kThreads];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  partial[threadIdx.x] = i < count ? x[i] : T(0);
  __syncthreads();
  for (int step = kThreads / 2; step > 0; step /= 2) {
    if (threadIdx.x < static_cast<unsigned>(step)) partial[threadIdx.x] += partial[threadIdx.x + step];
    __syncthreads();
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = partial[0];
}

TEST(Simt, SharedMemoryAndBarriersSumABlock) {
  std::vector<float> x(1000);
  std::iota(x.begin(), x.end(), 1.0f);
  simt::for_each_order([&] {
    std::vector<float> sums(8, -1.0f);
    launch(block_sum_kernel<128, float>, dim3(8), dim3(128), 0, nullptr, x.data(), sums.data(), 1000);
    EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), 0.0f), 500500.0f);
    EXPECT_EQ(sums[0], 128 * 129 / 2.0f);
  });
}

__global__ void missing_barrier_kernel(const int* x, int* y) {
  __shared__ int copy[64];
  copy[threadIdx.x] = x[threadIdx.x];
  y[threadIdx.x] = copy[63 - threadIdx.x];
}

TEST(Simt, MissingBarrierGivesWrongValues) {
  std::vector<int> x(64), y(64);
  std::iota(x.begin(), x.end(), 0);
  const auto run = [&] {
    simt::set_order(simt::Order::kRandom, 3);
    launch(missing_barrier_kernel, dim3(1), dim3(64), 0, nullptr, x.data(), y.data());
    simt::set_order(simt::Order::kUp);
  };
  if (kTsan) return expect_tsan_report(run);
  run();
  const std::vector<int> right(x.rbegin(), x.rend());
  EXPECT_NE(y, right);
  EXPECT_THAT(y, testing::Contains(-1)) << "shared memory should hold all bits set before it is written";
}

template <class T>
__global__ void read_shared_kernel(T* out) {
  __shared__ T never_written[32];
  GHOST_DYNAMIC_SHARED(T, dynamic);
  out[blockIdx.x * 64 + threadIdx.x] = never_written[threadIdx.x];
  out[blockIdx.x * 64 + 32 + threadIdx.x] = dynamic[threadIdx.x];
  never_written[threadIdx.x] = dynamic[threadIdx.x] = T(1);
}

TEST(Simt, SharedMemoryIsPoisonedBeforeEveryBlock) {
  std::vector<float> out(192);
  launch(read_shared_kernel<float>, dim3(3), dim3(32), 32 * sizeof(float), nullptr, out.data());
  for (const float value : out) EXPECT_TRUE(std::isnan(value));
  std::vector<double> wide(192);
  launch(read_shared_kernel<double>, dim3(3), dim3(32), 32 * sizeof(double), nullptr, wide.data());
  for (const double value : wide) EXPECT_TRUE(std::isnan(value));
}

__global__ void indices_kernel(int* out) {
  const int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  __syncthreads();  // the indices are right after a switch, too
  out[block * (blockDim.x * blockDim.y * blockDim.z) + (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x +
      threadIdx.x] = block * 1000 + thread;
}

TEST(Simt, IndicesOfThreeDimensions) {
  simt::for_each_order([] {
    std::vector<int> out(24 * 60, -1);
    launch(indices_kernel, dim3(2, 3, 4), dim3(3, 4, 5), 0, nullptr, out.data());
    for (int block = 0; block < 24; ++block)
      for (int thread = 0; thread < 60; ++thread) ASSERT_EQ(out[block * 60 + thread], block * 1000 + thread);
  });
}

__global__ void grid_stride_kernel(const float* x, float* y, int64_t count) {
  GHOST_GRID_STRIDE_LOOP(i, count) y[i] += 2 * x[i];
}

TEST(Simt, GridStrideLoopVisitsEveryItemOnce) {
  std::vector<float> x(1003, 1.5f), y(1003, 1.0f);
  simt::for_each_order([&] { launch(grid_stride_kernel, dim3(3), dim3(96), 0, nullptr, x.data(), y.data(), 1003); });
  for (const float value : y) ASSERT_EQ(value, 1.0f + simt::kOrders * 3.0f);
}

__global__ void warp_sums_kernel(const float* x, float* down, float* all, int* scan, unsigned* ballots) {
  const int i = threadIdx.x;
  float sum = x[i], total = x[i];
  for (int step = 16; step > 0; step /= 2) sum += __shfl_down_sync(0xffffffffu, sum, step);
  for (int step = 16; step > 0; step /= 2) total += __shfl_xor_sync(0xffffffffu, total, step);
  if (i % 32 == 0) down[i / 32] = sum;
  all[i] = __shfl_sync(0xffffffffu, total, 5);
  int prefix = 1;
  for (int step = 1; step < 8; step *= 2) {
    const int before = __shfl_up_sync(0xffffffffu, prefix, step, 8);
    if (i % 8 >= step) prefix += before;
  }
  scan[i] = prefix;
  const unsigned ballot = __ballot_sync(0xffffffffu, i % 3 == 0);
  if (__any_sync(0xffffffffu, i == 7) && i == 0) ballots[0] = ballot;
  if (__all_sync(0xffffffffu, i >= 32) && i == 32) ballots[1] = ballot;
}

TEST(Simt, ShufflesAndVotes) {
  simt::for_each_order([] {
    std::vector<float> x(64), down(2), all(64);
    std::iota(x.begin(), x.end(), 0.0f);
    std::vector<int> scan(64);
    std::vector<unsigned> ballots(2, 0);
    launch(warp_sums_kernel, dim3(1), dim3(64), 0, nullptr, x.data(), down.data(), all.data(), scan.data(),
           ballots.data());
    EXPECT_THAT(down, testing::ElementsAre(496.0f, 1520.0f));
    for (int i = 0; i < 64; ++i) {
      ASSERT_EQ(all[i], i < 32 ? 496.0f : 1520.0f);
      ASSERT_EQ(scan[i], i % 8 + 1);
    }
    EXPECT_THAT(ballots, testing::ElementsAre(0x49249249u, 0x92492492u));
  });
}

__global__ void half_warps_kernel(int* out) {
  const int lane = threadIdx.x;
  const unsigned mask = lane < 16 ? 0x0000ffffu : 0xffff0000u;
  int sum = lane;
  for (int turn = 0; turn <= lane / 16; ++turn)  // the upper half does it twice
    for (int step = 8; step > 0; step /= 2) sum += __shfl_xor_sync(mask, sum, step);
  __syncwarp();
  out[lane] = sum;
}

TEST(Simt, PartsOfAWarpWorkApart) {
  simt::for_each_order([] {
    std::vector<int> out(32);
    launch(half_warps_kernel, dim3(1), dim3(32), 0, nullptr, out.data());
    for (int i = 0; i < 32; ++i) ASSERT_EQ(out[i], i < 16 ? 120 : 16 * 376);
  });
}

__global__ void barrier_votes_kernel(int* out) {
  const int count = __syncthreads_count(threadIdx.x % 3 == 0);
  const int every = __syncthreads_and(threadIdx.x < 100);
  const int some = __syncthreads_or(threadIdx.x == 77);
  if (threadIdx.x == 0) out[0] = count, out[1] = every, out[2] = some;
}

TEST(Simt, BarriersCount) {
  simt::for_each_order([] {
    std::vector<int> out(3, -1);
    launch(barrier_votes_kernel, dim3(1), dim3(100), 0, nullptr, out.data());
    EXPECT_THAT(out, testing::ElementsAre(34, 1, 1));
  });
}

__global__ void atomics_kernel(int* sum, float* float_sum, unsigned* most, unsigned long long* least, int* winners) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(sum, i);
  atomicAdd(float_sum, 0.5f);
  atomicMax(most, static_cast<unsigned>(i));
  atomicMin(least, static_cast<unsigned long long>(i) + 3);
  if (atomicCAS(winners, 0, 1) == 0) atomicAdd(winners + 1, 1);
}

TEST(Simt, Atomics) {
  simt::for_each_order([] {
    int sum = 0, winners[2] = {0, 0};
    float float_sum = 0;
    unsigned most = 0;
    unsigned long long least = ~0ull;
    launch(atomics_kernel, dim3(4), dim3(64), 0, nullptr, &sum, &float_sum, &most, &least, winners);
    EXPECT_EQ(sum, 255 * 256 / 2);
    EXPECT_EQ(float_sum, 128.0f);
    EXPECT_EQ(most, 255u);
    EXPECT_EQ(least, 3u);
    EXPECT_EQ(winners[1], 1);
  });
}

__global__ void lost_atomic_kernel(int* total) {
  const int seen = *total;
  __syncthreads();
  *total = seen + 1;
}

TEST(Simt, LostAtomicGivesAWrongSum) {
  int total = 0;
  const auto run = [&] { launch(lost_atomic_kernel, dim3(1), dim3(64), 0, nullptr, &total); };
  if (kTsan) return expect_tsan_report(run);
  run();
  EXPECT_NE(total, 64);
}

__global__ void lost_between_blocks_kernel(int* total) {
  if (threadIdx.x == 0) *total += 1;
}

TEST(Simt, TsanSeesARaceBetweenBlocks) {
  if (!kTsan) GTEST_SKIP() << "needs a build with GHOST_SANITIZE=thread";
  int total = 0;
  expect_tsan_report([&] { launch(lost_between_blocks_kernel, dim3(2), dim3(1), 0, nullptr, &total); });
}

__global__ void last_block_kernel(const int* x, int* partial, unsigned* done, int* result) {
  partial[blockIdx.x] = x[blockIdx.x];
  __threadfence();
  if (atomicAdd(done, 1u) + 1 < gridDim.x) return;
  __threadfence();
  int sum = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += partial[i];
  *result = sum;
}

TEST(Simt, TheLastBlockSumsUp) {
  simt::for_each_order([] {
    const std::vector<int> x = {1, 2, 4, 8, 16, 32};
    std::vector<int> partial(6);
    unsigned done = 0;
    int result = -1;
    launch(last_block_kernel, dim3(6), dim3(1), 0, nullptr, x.data(), partial.data(), &done, &result);
    EXPECT_EQ(result, 63);
  });
}

__global__ void dynamic_shared_kernel(const float* x, float* y) {
  GHOST_DYNAMIC_SHARED(float, copy);
  copy[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[blockIdx.x * blockDim.x + threadIdx.x] = copy[blockDim.x - 1 - threadIdx.x];
}

TEST(Simt, DynamicSharedMemory) {
  std::vector<float> x(100), y(200);
  std::iota(x.begin(), x.end(), 0.0f);
  simt::for_each_order([&] {
    launch(dynamic_shared_kernel, dim3(2), dim3(100), 400, nullptr, x.data(), y.data());
    for (int i = 0; i < 200; ++i) ASSERT_EQ(y[i], 99 - i % 100);
  });
  EXPECT_THAT(error_of([&] { launch(dynamic_shared_kernel, dim3(1), dim3(100), 0, nullptr, x.data(), y.data()); }),
              HasSubstr("dynamic_shared_kernel, block (0, 0, 0), thread (0, 0, 0): uses GHOST_DYNAMIC_SHARED"));
}

TEST(Simt, KernelsRunAreNamedAndCounted) {
  const simt::Statistics before = simt::statistics();
  std::vector<float> x(8, 1.0f), sums(1);
  launch(block_sum_kernel<8, float>, dim3(1), dim3(8), 0, nullptr, x.data(), sums.data(), 8);
  EXPECT_EQ(simt::statistics().launches - before.launches, 1);
  EXPECT_EQ(simt::statistics().threads - before.threads, 8);
  bool found = false;
  for (const simt::KernelRun& run : simt::kernels_run())
    found |= run.name == "block_sum_kernel" && run.instance == "block_sum_kernel<8, float>" && run.launches == 1;
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace ghost
