// Kernels with a mistake: each must be reported, with its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "core/launch.h"
#include "kernels/cuda_vector.h"
#include "tests/simt/compare.h"
#include "tests/simt/self_test.h"

namespace ghost {
namespace {

using testing::HasSubstr;

__global__ void off_by_one_kernel(int* out, int where) {
  __shared__ int array[32];
  int* volatile hidden = array;  // from the compiler, which would warn
  int* const values = hidden;
  GHOST_DYNAMIC_SHARED(int, dynamic);
  values[threadIdx.x] = dynamic[threadIdx.x] = 1;
  if (where == 0) values[threadIdx.x + 1] = 2;
  if (where == 1) dynamic[threadIdx.x + 1] = 2;
  if (where == 2) out[threadIdx.x + 1] = 2;
  out[threadIdx.x] = values[threadIdx.x] + dynamic[threadIdx.x];
}

TEST(SimtErrors, OffByOneIsSeen) {
  std::vector<int> out(32);
  const auto run = [&](int where) { launch(off_by_one_kernel, dim3(1), dim3(32), 128, nullptr, out.data(), where); };
  if (kAsan) {
    EXPECT_DEATH(run(0), "global-buffer-overflow");
    EXPECT_DEATH(run(1), "use-after-poison");
    EXPECT_DEATH(run(2), "heap-buffer-overflow");
  } else if (!kTsan) {
    EXPECT_THAT(error_of([&] { run(1); }), HasSubstr("wrote past its 128 bytes of dynamic shared memory"));
  }
}

__global__ void divergent_kernel(int* out, int kind) {
  if (kind == 0 && threadIdx.x == 9) return;
  if (kind == 1 && threadIdx.x % 2 == 0) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = 1;
}

TEST(SimtErrors, DivergentBarriersAreReported) {
  std::vector<int> out(64);
  const auto run = [&](int kind) { launch(divergent_kernel, dim3(1), dim3(64), 0, nullptr, out.data(), kind); };
  simt::for_each_order([&] {
    EXPECT_THAT(error_of([&] { run(0); }), testing::AllOf(HasSubstr("kernel divergent_kernel"),
                                                          HasSubstr("divergent barrier: 63 of 64 threads wait at"),
                                                          HasSubstr("thread (9, 0, 0) has finished")));
    EXPECT_THAT(error_of([&] { run(1); }),
                HasSubstr("divergent barrier: thread (0, 0, 0) waits at simt_errors_test.cpp"));
    run(2);
    EXPECT_EQ(out[63], 1);
  });
}

__global__ void wrong_shuffle_kernel(int* out, int kind) {
  int value = threadIdx.x;
  if (kind == 0 && threadIdx.x >= 24) {
    __syncthreads();
  } else {
    if (kind == 1 && threadIdx.x >= 24) return;
    const unsigned mask = kind == 2 ? 0x0000ffffu : 0xffffffffu;
    if (kind == 3 && threadIdx.x == 4) out[0] = __any_sync(0xffffffffu, 1);
    value += __shfl_xor_sync(mask, value, 16);
    if (kind == 0) __syncthreads();
  }
  out[threadIdx.x] = value;
}

TEST(SimtErrors, WrongShufflesAreReported) {
  std::vector<int> out(32);
  const auto error = [&](int kind) {
    return error_of([&] { launch(wrong_shuffle_kernel, dim3(1), dim3(32), 0, nullptr, out.data(), kind); });
  };
  simt::for_each_order([&] {
    EXPECT_THAT(error(0), testing::AllOf(HasSubstr("names lanes that never come: 24, 25, 26, 27, 28, 29, 30, 31"),
                                         HasSubstr("they wait at the barrier at simt_errors_test.cpp")));
    EXPECT_THAT(error(1), testing::AllOf(HasSubstr("reads lane"), HasSubstr("has exited")));
    EXPECT_THAT(error(2), testing::AnyOf(HasSubstr("lacks its own lane"), HasSubstr("its mask does not name")));
    EXPECT_THAT(error(3), HasSubstr("other operation"));
  });
}

__global__ void vectors_kernel(const float* x, float* y) {
  store_vector(y + 4 * threadIdx.x, load_vector<float4>(x + 4 * threadIdx.x));
}

TEST(SimtErrors, MisalignedVectorsAreReported) {
  alignas(16) float x[20] = {}, y[20] = {};
  x[7] = 3;
  launch(vectors_kernel, dim3(1), dim3(4), 0, nullptr, x, y);
  EXPECT_EQ(y[7], 3.0f);
  EXPECT_THAT(
      error_of([&] { launch(vectors_kernel, dim3(1), dim3(4), 0, nullptr, x + 1, y); }),
      testing::AllOf(HasSubstr("kernel vectors_kernel"), HasSubstr("misaligned vector access at cuda_vector.h")));
}

__global__ void nothing_kernel(int*) {}

TEST(SimtErrors, LaunchesBeyondTheLimitsAreRefused) {
  const auto error = [](dim3 grid, dim3 block, size_t bytes) {
    return error_of([&] { launch(nothing_kernel, grid, block, bytes, nullptr, nullptr); });
  };
  EXPECT_THAT(error(0, 1, 0), HasSubstr("kernel nothing_kernel: empty grid (0, 1, 1)"));
  EXPECT_THAT(error(1, 0, 0), HasSubstr("empty block"));
  EXPECT_THAT(error(1, dim3(64, 17), 0), HasSubstr("1088 threads"));
  EXPECT_THAT(error(1, dim3(1, 1, 65), 0), HasSubstr("z at most 64"));
  EXPECT_THAT(error(dim3(1, 65536), 1, 0), HasSubstr("grid (1, 65536, 1)"));
  EXPECT_THAT(error(1, 1, 233000), HasSubstr("at most 232448"));
  EXPECT_THAT(error(1, 1, 50000), HasSubstr("49152 allowed"));
}

__global__ void throwing_kernel(const int* x) { GHOST_CHECK(x[threadIdx.x] >= 0, "negative index ", x[threadIdx.x]); }

TEST(SimtErrors, AnErrorInAKernelNamesTheThread) {
  const int x[4] = {1, 2, -3, 4};
  EXPECT_THAT(error_of([&] { launch(throwing_kernel, dim3(1), dim3(4), 0, nullptr, x); }),
              HasSubstr("kernel throwing_kernel, block (0, 0, 0), thread (2, 0, 0): negative index -3"));
}

}  // namespace
}  // namespace ghost
