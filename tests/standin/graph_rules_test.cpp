// The stand-in's own capture and graphs: what they must let pass and what they must catch.
#include <gtest/gtest.h>

#include "tests/standin/standin.h"

namespace ghost::standin {
namespace {

bool mentions(const std::string& words) {
  for (const std::string& mistake : take_mistakes())
    if (mistake.find(words) != std::string::npos) return true;
  return false;
}

class StandinCapture : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess);
    ASSERT_EQ(cudaMalloc(&block_, 64), cudaSuccess);
  }
  void TearDown() override {
    cudaStreamDestroy(stream_);
    cudaFree(block_);
    cudaGetLastError();
    EXPECT_EQ(live_graphs(), 0);
    take_mistakes();
  }
  void begin(cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed) {
    EXPECT_EQ(cudaStreamBeginCapture(stream_, mode), cudaSuccess);
  }
  cudaError_t end() {
    cudaGraph_t graph = nullptr;
    const cudaError_t status = cudaStreamEndCapture(stream_, &graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    return status;
  }
  // Ready to launch: adds 1 to `runs_`, and takes `block_`.
  cudaGraphExec_t counting_graph() {
    begin();
    void* const taken = block_;
    launch(nullptr, stream_, {&taken, sizeof(taken)}, [this] { ++runs_; });
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
    cudaGraphExec_t launchable = nullptr;
    EXPECT_EQ(cudaGraphInstantiateWithFlags(&launchable, graph, 0), cudaSuccess);
    EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
    return launchable;
  }

  cudaStream_t stream_ = nullptr;
  void* block_ = nullptr;
  int runs_ = 0;
};

TEST_F(StandinCapture, RunsNothingAndALaunchAllOfIt) {
  const Counts before = counts();
  const cudaGraphExec_t graph = counting_graph();
  cudaStreamSynchronize(stream_);
  EXPECT_EQ(runs_, 0);
  EXPECT_EQ((counts() - before).launches(), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cudaGraphLaunch(graph, stream_), cudaSuccess);
  EXPECT_EQ(runs_, 0);
  cudaStreamSynchronize(stream_);
  EXPECT_EQ(runs_, 3);
  EXPECT_EQ((counts() - before).launches(), 3);
  EXPECT_EQ(cudaGraphExecDestroy(graph), cudaSuccess);
  EXPECT_TRUE(take_mistakes().empty());
}

TEST_F(StandinCapture, RefusesWhatWouldWait) {
  begin();
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  EXPECT_TRUE(mentions("a wait for the captured stream"));
  float number = 0;
  begin();
  EXPECT_EQ(cudaMemcpy(block_, &number, 4, cudaMemcpyHostToDevice), cudaErrorStreamCaptureImplicit);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  begin();
  EXPECT_EQ(cudaFree(block_), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  cudaEvent_t event = nullptr;
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  begin();
  EXPECT_EQ(cudaEventSynchronize(event), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  cudaEventDestroy(event);
}

TEST_F(StandinCapture, RefusesMemoryThatIsNotPinnedAndAllocationsUnlessRelaxed) {
  float number = 0;
  begin();
  EXPECT_EQ(cudaMemcpyAsync(block_, &number, 4, cudaMemcpyHostToDevice, stream_), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  EXPECT_TRUE(mentions("a copy of memory that is not pinned"));
  void* more = nullptr;
  begin(cudaStreamCaptureModeThreadLocal);
  EXPECT_EQ(cudaMalloc(&more, 4), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorStreamCaptureInvalidated);
  begin();
  EXPECT_EQ(cudaMalloc(&more, 4), cudaSuccess);
  EXPECT_EQ(end(), cudaSuccess);
  cudaFree(more);
}

TEST_F(StandinCapture, CopiesOfPinnedMemoryReadItWhenTheyRun) {
  void* host = nullptr;
  ASSERT_EQ(cudaMallocHost(&host, 4), cudaSuccess);
  int* const number = static_cast<int*>(host);
  int got = 0;
  *number = 1;
  begin();
  cudaMemcpyAsync(block_, host, 4, cudaMemcpyHostToDevice, stream_);
  cudaGraph_t graph = nullptr;
  cudaStreamEndCapture(stream_, &graph);
  cudaGraphExec_t launchable = nullptr;
  cudaGraphInstantiateWithFlags(&launchable, graph, 0);
  cudaGraphDestroy(graph);
  cudaGraphLaunch(launchable, stream_);
  cudaMemcpyAsync(&got, block_, 4, cudaMemcpyDeviceToHost, stream_);
  *number = 2;
  cudaStreamSynchronize(stream_);
  EXPECT_EQ(got, 2);
  cudaGraphExecDestroy(launchable);
  cudaMemcpyAsync(block_, host, 4, cudaMemcpyHostToDevice, stream_);
  EXPECT_NE(cudaFreeHost(host), cudaSuccess);
  EXPECT_TRUE(mentions("a copy is still to use"));
  cudaStreamSynchronize(stream_);
  EXPECT_EQ(cudaFreeHost(host), cudaSuccess);
}

TEST_F(StandinCapture, ReportsMemoryAndGraphsThatGoTooEarly) {
  const cudaGraphExec_t graph = counting_graph();
  EXPECT_NE(cudaFree(block_), cudaSuccess);
  EXPECT_TRUE(mentions("memory that a graph uses"));
  cudaGraphLaunch(graph, stream_);
  EXPECT_NE(cudaGraphExecDestroy(graph), cudaSuccess);
  EXPECT_TRUE(mentions("destroyed while it runs"));
  EXPECT_NE(cudaGraphExecDestroy(graph), cudaSuccess);
  EXPECT_TRUE(mentions("destroyed twice"));
  EXPECT_NE(cudaGraphLaunch(graph, stream_), cudaSuccess);
  EXPECT_TRUE(mentions("a graph that is gone"));
}

}  // namespace
}  // namespace ghost::standin
