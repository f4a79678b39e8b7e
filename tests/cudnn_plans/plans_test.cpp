// The real cuDNN library plans the convolutions of all of this project's networks for GPUs described in JSON; no
// driver, no GPU. Skipped where cuDNN cannot be opened. Nothing is computed, so this shows acceptance, workspace and
// the notes on determinism and precision, not results.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <set>

#include "core/error.h"
#include "core/shared_library_cuda.h"
#include "kernels/cudnn_plan.h"
#include "kernels/planned_convolution.h"
#include "layers/models/detector.h"
#include "tests/cudnn_plans/model_convolutions.h"
#include "train/gpu_device.h"

namespace ghost::cuda {
namespace {

constexpr int64_t kBatch = 128;
constexpr ConvolutionPass kPasses[] = {ConvolutionPass::kForward, ConvolutionPass::kBackwardInput,
                                       ConvolutionPass::kBackwardWeight};

std::vector<NetworkCase> networks() {
  std::vector<NetworkCase> all;
  for (const Flavour flavour : {Flavour::kTorch, Flavour::kKeras}) {
    for (const std::string& name : model_names()) all.push_back({.name = name, .flavour = flavour});
    for (const double width : {0.5, 1.3}) all.push_back({.name = "ghostnet", .width = width, .flavour = flavour});
    for (const std::string& name : detector_names()) all.push_back({.name = name, .size = 416, .flavour = flavour});
  }
  return all;
}

const NamedProblems& all_problems() {
  static const NamedProblems& problems = *[] {
    auto* const found = new NamedProblems;
    for (const NetworkCase& network : networks()) add_convolutions(network, kBatch, *found);
    return found;
  }();
  return problems;
}

// The layers say by themselves which convolutions there are.
TEST(CudnnProblems, EveryDenseLayerIsThereInAllPasses) {
  for (const NetworkCase& network : networks()) {
    NamedProblems problems;
    std::set<std::string> posed;
    const auto key = [](ConvolutionPass pass, const Shape& x, const Shape& z) { return str(name_of(pass), x, z); };
    const std::vector<LayerRecord> layers = add_convolutions(network, 2, problems);
    for (const auto& [p, name] : problems)
      posed.insert(key(p.pass, {p.n, p.h, p.w, p.c}, {p.n, p.out_h, p.out_w, p.o}));
    int64_t dense = 0;
    for (const LayerRecord& layer : layers) {
      if (!layer.kind.starts_with("conv2d ")) continue;
      ++dense;
      for (const ConvolutionPass pass : kPasses)
        EXPECT_TRUE(posed.contains(key(pass, layer.input, layer.output)))
            << describe(network) << ": " << layer.name << ", " << name_of(pass);
    }
    EXPECT_GE(dense, 14) << describe(network);
  }
}

CudnnDescriptor described(const std::string& gpu) {
  const std::string json = load_gpu(gpu, "fp32").properties;
  CudnnDescriptor properties(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  properties.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                 std::vector<char>(json.c_str(), json.c_str() + json.size() + 1));
  properties.finalize();
  return properties;
}

class CudnnPlans : public testing::Test {
 protected:
  void SetUp() override {
    if (!cudnn_library().error().empty()) GTEST_SKIP() << cudnn_library().error();
  }
};

struct Target {
  std::string gpu;
  DType dtype;
};

class CudnnPlansFor : public CudnnPlans, public testing::WithParamInterface<Target> {};

TEST_P(CudnnPlansFor, EveryConvolution) {
  const CudnnDescriptor properties = described(GetParam().gpu);
  const auto begin = std::chrono::steady_clock::now();
  int64_t largest = 0, planned = 0;
  std::string of_largest;
  for (const auto& [asked, network] : all_problems()) {
    const ConvolutionProblem problem = in_dtype(asked, GetParam().dtype);
    try {
      const ConvolutionPlan plan = build_plan(problem, {nullptr, &properties}, kWorkspaceLimit);
      ++planned;
      if (plan.workspace <= largest) continue;
      largest = plan.workspace;
      of_largest = str(network, ", ", describe(problem));
    } catch (const Error& error) {
      ADD_FAILURE() << network << ": " << error.what();
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("%ld of %zu plans, %.1f s; largest workspace %.1f MB: %s\n", planned, all_problems().size(),
              seconds.count(), static_cast<double>(largest) / 1e6, of_largest.c_str());
}

std::vector<Target> targets() {
  std::vector<Target> all;
  for (const char* const gpu : {"a100", "h100", "rtx5090"})
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kFloat16}) all.push_back({gpu, dtype});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Gpus, CudnnPlansFor, testing::ValuesIn(targets()), [](const auto& info) {
  return info.param.gpu + "_" + std::string(name_of(info.param.dtype));
});

ConvolutionProblem pointwise(int64_t side, int64_t in, int64_t out) {
  ConvolutionProblem p;
  p.n = 32;
  p.h = p.w = p.out_h = p.out_w = side;
  p.c = p.x_pitch = in;
  p.o = p.z_pitch = out;
  return p;
}

// What no network of ours has today.
TEST_F(CudnnPlans, GroupsAndSlicesOfLittleAlignment) {
  ConvolutionProblem grouped = pointwise(14, 64, 64), slice = pointwise(14, 42, 21);
  grouped.groups = 2;
  slice.x_pitch = 84;
  slice.z_pitch = 42;
  slice.x_alignment = slice.z_alignment = slice.weight_alignment = 4;
  for (const char* const gpu : {"a100", "h100", "rtx5090"}) {
    const CudnnDescriptor properties = described(gpu);
    for (ConvolutionProblem problem : {grouped, slice}) {
      for (const ConvolutionPass pass : kPasses) {
        problem.pass = pass;
        EXPECT_NO_THROW(build_plan(problem, {nullptr, &properties}, kWorkspaceLimit)) << gpu;
      }
    }
  }
}

// What the meta device asks for, `ghosttrain info --device`.
TEST_F(CudnnPlans, PlannerOfADescribedDevice) {
  std::string reason;
  const ConvolutionPlanner planner = cudnn_planner(load_gpu("h100", "fp32").properties, reason);
  ASSERT_TRUE(planner) << reason;
  const CudnnDescriptor properties = described("h100");
  for (const ConvolutionProblem& problem : {pointwise(14, 80, 100), pointwise(7, 160, 960), pointwise(28, 40, 60)}) {
    const ConvolutionPlan plan = build_plan(problem, {nullptr, &properties}, kWorkspaceLimit);
    const PlannedConvolution planned = planner(problem);
    EXPECT_EQ(planned.workspace, plan.workspace);
    EXPECT_EQ(planned.name, std::to_string(plan.engine));
  }
}

TEST_F(CudnnPlans, WrongOutputSizeIsRefused) {
  const CudnnDescriptor properties = described("h100");
  ConvolutionProblem problem = pointwise(14, 16, 16);
  problem.out_h = 13;
  EXPECT_THROW(build_plan(problem, {nullptr, &properties}, kWorkspaceLimit), Error);
}

TEST_F(CudnnPlans, NoPlanSaysWhy) {
  const CudnnDescriptor properties = described("h100");
  try {
    build_plan(pointwise(14, 16, 16), {nullptr, &properties}, -1);
    FAIL() << "a workspace of less than nothing was enough";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    EXPECT_NE(error.message().find("need a workspace"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace ghost::cuda
