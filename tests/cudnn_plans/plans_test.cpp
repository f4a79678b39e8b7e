// The real cuDNN library plans every dense convolution of GhostNet for GPUs described in JSON; no driver, no GPU.
// Skipped where cuDNN cannot be opened. Run as it is: nothing is computed, so this shows acceptance, workspace and
// determinism notes, not results.
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/shared_library_cuda.h"
#include "kernels/cudnn_plan.h"
#include "kernels/planned_convolution.h"

namespace ghost::cuda {
namespace {

constexpr int64_t kLimit = int64_t{256} << 20;

std::string device_json(int multiprocessors, int version, const std::string& name, int shared_optin,
                        int threads_per_sm) {
  return str(
      R"({"maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],"regsPerBlock":65536,)",
      R"("multiProcessorCount":)", multiprocessors,
      R"(,"warpSize":32,"maxSharedMemoryPerBlock":49152,"maxSharedMemoryPerBlockOptin":)", shared_optin,
      R"(,"reservedSharedMemoryPerBlock":1024,"maxRegistersPerSM":65536,"maxCtasPerSM":32,"maxThreadsPerBlock":1024,)",
      R"("maxThreadsPerSM":)", threads_per_sm,
      R"(,"pciDeviceId":0,"isTccDriver":0,"supportCoopLaunch":1,"totalGlobalMem":40000000000,)",
      R"("smClockRateKHz":1410000,"memClockRateKHz":1215000,"l2CacheSize":41943040,"cudaDeviceId":0,"deviceVer":)",
      version, R"(,"driverVer":13000,"deviceName":")", name, R"("})");
}

CudnnDescriptor described(const std::string& json) {
  CudnnDescriptor properties(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  properties.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                 std::vector<char>(json.c_str(), json.c_str() + json.size() + 1));
  properties.finalize();
  return properties;
}

// GhostNet 1.0 at 224: the stem, and per stage {map side, in, hidden, out, squeeze-excite width}. The primary
// convolution of a ghost module makes half of its channels.
struct Stage {
  int64_t side, in, hidden, out, stride;
};
constexpr Stage kStages[] = {{112, 16, 16, 16, 1},   {112, 16, 48, 24, 2},   {56, 24, 72, 24, 1},
                             {56, 24, 72, 40, 2},    {28, 40, 120, 40, 1},   {28, 40, 240, 80, 2},
                             {14, 80, 200, 80, 1},   {14, 80, 184, 80, 1},   {14, 80, 480, 112, 1},
                             {14, 112, 672, 112, 1}, {14, 112, 672, 160, 2}, {7, 160, 960, 160, 1}};

ConvolutionProblem pointwise(int64_t side, int64_t in, int64_t out, int64_t x_pitch, int64_t z_pitch) {
  ConvolutionProblem p;
  p.n = 32;
  p.h = p.w = p.out_h = p.out_w = side;
  p.c = in;
  p.o = out;
  p.x_pitch = x_pitch;
  p.z_pitch = z_pitch;
  return p;
}

std::vector<ConvolutionProblem> ghostnet() {
  ConvolutionProblem stem = pointwise(224, 3, 16, 3, 16);
  stem.out_h = stem.out_w = 112;
  stem.kernel_h = stem.kernel_w = 3;
  stem.stride = 2;
  stem.top = stem.left = stem.bottom = stem.right = 1;
  std::vector<ConvolutionProblem> problems{stem};
  stem.top = stem.left = 0;  // Keras: 'same' puts the odd pixel after
  problems.push_back(stem);
  for (const Stage& stage : kStages) {
    const int64_t after = stage.side / stage.stride;
    problems.push_back(pointwise(stage.side, stage.in, stage.hidden / 2, stage.in, stage.hidden));
    problems.push_back(pointwise(after, stage.hidden, stage.out / 2, stage.hidden, stage.out));
    if (stage.in != stage.out) problems.push_back(pointwise(after, stage.in, stage.out, stage.in, stage.out));
    problems.push_back(pointwise(1, stage.hidden, 120, stage.hidden, 120));
  }
  problems.push_back(pointwise(7, 160, 960, 160, 960));
  problems.push_back(pointwise(1, 960, 1280, 960, 1280));
  ConvolutionProblem grouped = pointwise(14, 64, 64, 64, 64);
  grouped.groups = 2;
  problems.push_back(grouped);
  ConvolutionProblem slice = pointwise(14, 42, 21, 84, 42);  // a width whose halves are aligned to 4 bytes only
  slice.x_alignment = slice.z_alignment = slice.weight_alignment = 4;
  problems.push_back(slice);
  return problems;
}

void plan_all(const CudnnDescriptor& properties, DType dtype) {
  int64_t largest = 0;
  for (ConvolutionProblem problem : ghostnet()) {
    problem.dtype = dtype;
    for (const ConvolutionPass pass :
         {ConvolutionPass::kForward, ConvolutionPass::kBackwardInput, ConvolutionPass::kBackwardWeight}) {
      problem.pass = pass;
      try {
        largest = std::max(largest, build_plan(problem, {nullptr, &properties}, kLimit).workspace);
      } catch (const Error& error) {
        ADD_FAILURE() << error.what();
      }
    }
  }
  testing::Test::RecordProperty("largest_workspace_bytes", static_cast<int>(largest));
}

class CudnnPlans : public testing::Test {
 protected:
  void SetUp() override {
    if (!cudnn_library().error().empty()) GTEST_SKIP() << cudnn_library().error();
  }
};

TEST_F(CudnnPlans, GhostNetOnSm80) {
  plan_all(described(device_json(108, 800, "NVIDIA A100-SXM4-40GB", 166912, 2048)), DType::kFloat32);
}

TEST_F(CudnnPlans, GhostNetOnSm90) {
  plan_all(described(device_json(132, 900, "NVIDIA H100 80GB HBM3", 232448, 2048)), DType::kFloat32);
}

// What the meta device asks for, `ghosttrain info --device`.
TEST_F(CudnnPlans, PlannerOfADescribedDevice) {
  const std::string json = device_json(132, 900, "NVIDIA H100 80GB HBM3", 232448, 2048);
  std::string reason;
  const ConvolutionPlanner planner = cudnn_planner(json, reason);
  ASSERT_TRUE(planner) << reason;
  const CudnnDescriptor properties = described(json);
  for (const ConvolutionProblem& problem : ghostnet()) {
    const ConvolutionPlan plan = build_plan(problem, {nullptr, &properties}, kLimit);
    const PlannedConvolution planned = planner(problem);
    EXPECT_EQ(planned.workspace, plan.workspace);
    EXPECT_EQ(planned.name, std::to_string(plan.engine));
  }
}

TEST_F(CudnnPlans, WrongOutputSizeIsRefused) {
  const CudnnDescriptor properties = described(device_json(132, 900, "NVIDIA H100 80GB HBM3", 232448, 2048));
  ConvolutionProblem problem = pointwise(14, 16, 16, 16, 16);
  problem.out_h = 13;
  EXPECT_THROW(build_plan(problem, {nullptr, &properties}, kLimit), Error);
}

TEST_F(CudnnPlans, NoPlanSaysWhy) {
  const CudnnDescriptor properties = described(device_json(132, 900, "NVIDIA H100 80GB HBM3", 232448, 2048));
  try {
    build_plan(pointwise(14, 16, 16, 16, 16), {nullptr, &properties}, -1);
    FAIL() << "a workspace of less than nothing was enough";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    EXPECT_NE(error.message().find("need a workspace"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace ghost::cuda
