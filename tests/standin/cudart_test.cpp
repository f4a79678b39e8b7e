// The stand-ins themselves: what they must let pass and what they must catch.
#include <gtest/gtest.h>

#include <stdexcept>

#include "core/allocator.h"
#include "core/error.h"
#include "core/shared_library_cuda.h"
#include "core/tensor.h"
#include "tests/standin/standin.h"

namespace ghost::standin {
namespace {

bool any_mentions(const std::vector<std::string>& texts, const std::string& words) {
  for (const std::string& text : texts)
    if (text.find(words) != std::string::npos) return true;
  return false;
}

void* device_block(size_t bytes) {
  void* block = nullptr;
  EXPECT_EQ(cudaMalloc(&block, bytes), cudaSuccess);
  return block;
}

cudaStream_t new_stream() {
  cudaStream_t stream = nullptr;
  EXPECT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  return stream;
}

TEST(StandinDevice, IsTheOnlyCudaThatTheBackendFinds) {
  EXPECT_EQ(cuda_unavailable_reason(), "");
  EXPECT_EQ(cudnn_library().error(), "");
  EXPECT_EQ(cublaslt_library().error(), "");
  using Name = const char* (*)();
  EXPECT_STREQ(cudnn_library().function<Name>("ghost_standin_name")(), "cuDNN of tests/standin");
  EXPECT_STREQ(cublaslt_library().function<Name>("ghost_standin_name")(), "cuBLASLt of tests/standin");
}

TEST(StandinDevice, NothingHasRunBeforeTheHostWaits) {
  const cudaStream_t stream = new_stream();
  int* const block = static_cast<int*>(device_block(sizeof(int)));
  int value = 7, got = 0;
  cudaMemcpyAsync(block, &value, sizeof(int), cudaMemcpyHostToDevice, stream);
  value = 8;  // was read by the call
  cudaMemcpyAsync(&got, block, sizeof(int), cudaMemcpyDeviceToHost, stream);
  EXPECT_EQ(got, 0);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(got, 7);
  cudaFree(block);
  cudaStreamDestroy(stream);
}

// Returns whether the second stream's work came before the first's.
bool overtakes(uint64_t seed, bool with_event) {
  set({.seed = seed});
  const cudaStream_t first = new_stream(), second = new_stream();
  cudaEvent_t event = nullptr;
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  int turn = 0, of_first = 0, of_second = 0;
  launch(nullptr, first, {}, [&] { of_first = ++turn; });
  if (with_event) {
    cudaEventRecord(event, first);
    cudaStreamWaitEvent(second, event);
  }
  launch(nullptr, second, {}, [&] { of_second = ++turn; });
  EXPECT_EQ(cudaStreamSynchronize(second), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(first), cudaSuccess);
  cudaEventDestroy(event);
  cudaStreamDestroy(first);
  cudaStreamDestroy(second);
  set({});
  return of_second < of_first;
}

TEST(StandinDevice, OnlyEventsOrderTwoStreams) {
  int times = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    times += overtakes(seed, false);
    EXPECT_FALSE(overtakes(seed, true)) << seed;
  }
  EXPECT_GT(times, 0);
  EXPECT_LT(times, 20);
}

TEST(StandinDevice, ReportsWhatIsDoneWrongWithMemory) {
  char* const block = static_cast<char*>(device_block(1000));
  std::vector<char> host(2000);
  EXPECT_NE(cudaMemcpy(block, host.data(), 1001, cudaMemcpyHostToDevice), cudaSuccess);
  EXPECT_TRUE(any_mentions(take_mistakes(), "past its end"));
  EXPECT_NE(cudaMemcpy(block, host.data(), 10, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_TRUE(any_mentions(take_mistakes(), "another direction"));
  EXPECT_NE(cudaFree(block + 1), cudaSuccess);
  EXPECT_TRUE(any_mentions(take_mistakes(), "no block's beginning"));
  EXPECT_EQ(cudaFree(block), cudaSuccess);
  EXPECT_NE(cudaFree(block), cudaSuccess);
  EXPECT_TRUE(any_mentions(take_mistakes(), "double free"));
  EXPECT_NE(cudaMemcpy(host.data(), block, 10, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_TRUE(any_mentions(take_mistakes(), "was freed"));
  cudaGetLastError();
}

TEST(StandinDevice, AKernelsAccessOutsideOfItsBlockIsReported) {
  if (!kAccessesAreSeen) GTEST_SKIP() << "this compiler does not show the accesses of kernels";
  set({.watch = true});
  float* const block = static_cast<float*>(device_block(8 * sizeof(float)));
  const Counts before = counts();
  launch(nullptr, nullptr, {}, [=] {
    for (int i = 0; i < 9; ++i) note_access(block + i, sizeof(float), true);
    for (int i = 0; i < 8; ++i) note_access(block + i, sizeof(float), false);
  });
  EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
  EXPECT_TRUE(any_mentions(take_mistakes(), "a kernel writes 4 bytes"));
  EXPECT_EQ((counts() - before).read_bytes, 32);  // a sector, though read eight times
  cudaFree(block);
  set({});
}

using StandinDeathTest = testing::Test;

TEST(StandinDeathTest, TheHostMayNotTouchDeviceMemory) {
  volatile float* const block = static_cast<float*>(device_block(64));
  EXPECT_DEATH(*block = 1, "host code touched device memory");
  cudaFree(const_cast<float*>(block));
  EXPECT_DEATH(*block = 1, "a block of 64 that was freed");
}

TEST(StandinDeathTest, AKernelsMistakeFailsEveryLaterCall) {
  const auto fail = [] {
    launch(nullptr, nullptr, {}, [] { throw std::runtime_error("kernel of this test: a mistake"); });
    const bool late = cudaStreamSynchronize(nullptr) == cudaErrorLaunchFailure;
    void* block = nullptr;
    const bool lost = cudaMalloc(&block, 4) == cudaErrorLaunchFailure;
    std::fprintf(stderr, "%s", cudaGetErrorString(cudaErrorLaunchFailure));
    std::exit(late && lost ? 0 : 1);
  };
  EXPECT_EXIT(fail(), testing::ExitedWithCode(0), "kernel of this test: a mistake");
}

TEST(StandinDevice, MemoryThatIsNotThereIsAnErrorWithFiguresAndNothingIsLost) {
  const Device device = Device::cuda();
  const Tensor kept = Tensor::full({1000}, 3, {DType::kFloat32, device});
  release_cached(device);
  set({.memory = 1 << 20});
  try {
    const Tensor large({1 << 20}, {DType::kFloat32, device});
    FAIL() << "4 MiB were given of 1 MiB";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    EXPECT_NE(error.message().find("out of memory on cuda:0: asked 4 MiB"), std::string::npos) << error.message();
  }
  set({});
  EXPECT_EQ(kept.to_vector(), std::vector<double>(1000, 3));
  EXPECT_EQ(Tensor::full({1 << 20}, 2, {DType::kFloat32, device}).rows(7, 1).item(), 2);
  EXPECT_TRUE(take_mistakes().empty());
}

// Two devices: a stream each, and the copy between them waits for both.
TEST(StandinDevice, CopiesBetweenTwoDevicesWaitForBoth) {
  for (uint64_t seed = 1; seed < 6; ++seed) {
    set({.seed = seed, .devices = 2});
    const Tensor on_first = Tensor::full({3, 5}, 4, {DType::kFloat32, Device::cuda(0)});
    const Tensor on_second = Tensor::full({3, 5}, 1, {DType::kFloat32, Device::cuda(1)});
    on_second.copy_from(on_first);
    on_second.add_in_place(Tensor::full({3, 5}, 2, {DType::kFloat32, Device::cuda(1)}));
    EXPECT_EQ(on_second.to_vector(), std::vector<double>(15, 6)) << "seed " << seed;
  }
  release_cached(Device::cuda(1));
  set({});
  EXPECT_TRUE(take_mistakes().empty());
}

}  // namespace
}  // namespace ghost::standin
