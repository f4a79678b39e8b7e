// Execution plans of single convolutions through cuDNN's graph API: one operation, its heuristics, the first engine
// that accepts the problem. Included by *_cudnn.cpp and by tests/cudnn_plans only.
#pragma once

#include <compare>
#include <string>

#include "core/dtype.h"
#include "kernels/cudnn_descriptor.h"

namespace ghost::cuda {

enum class ConvolutionPass : uint8_t { kForward, kBackwardInput, kBackwardWeight };

// The whole problem, and the key of the plan cache. x and z are NHWC with a pitch, the weight is {o, kh, kw, c /
// groups} and dense. In the backward passes x stands for dx where it is the result, z for dz, the weight for dweight.
struct ConvolutionProblem {
  ConvolutionPass pass = ConvolutionPass::kForward;
  DType dtype = DType::kFloat32;
  int device = 0;
  int64_t n = 0, h = 0, w = 0, c = 0, x_pitch = 0;
  int64_t out_h = 0, out_w = 0, o = 0, z_pitch = 0;
  int64_t kernel_h = 1, kernel_w = 1, stride = 1, groups = 1;
  int64_t top = 0, left = 0, bottom = 0, right = 0;
  int64_t x_alignment = 16, weight_alignment = 16, z_alignment = 16;  // bytes

  friend auto operator<=>(const ConvolutionProblem&, const ConvolutionProblem&) = default;
};

std::string describe(const ConvolutionProblem& problem);

// Where a plan is to run: a live handle, or a device described to cuDNN (tests/cudnn_plans). One of them is null.
struct PlanTarget {
  cudnnHandle_t handle = nullptr;
  const CudnnDescriptor* device_properties = nullptr;
};

// Tensor names in a plan's variant pack.
inline constexpr int64_t kXId = 1, kWeightId = 2, kZId = 3;

struct ConvolutionPlan {
  CudnnDescriptor descriptor;
  int64_t workspace = 0;  // bytes
};

// The first plan, in the order of cuDNN's heuristics and then of its fallback list, that finalizes, needs at most
// `workspace_limit` bytes, and gives the same bits on every run. float32 is computed in float32: engines that round to
// TF32 are passed over. Throws kDevice with the problem and the last refusal where there is none.
ConvolutionPlan build_plan(const ConvolutionProblem& problem, const PlanTarget& target, int64_t workspace_limit);

}  // namespace ghost::cuda
