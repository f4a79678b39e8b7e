// Execution plans of single convolutions through cuDNN's graph API: one operation, its heuristics, the first engine
// that accepts the problem. Included by *_cudnn.cpp and by tests/cudnn_plans only.
#pragma once

#include "kernels/convolution_problem.h"
#include "kernels/cudnn_descriptor.h"

namespace ghost::cuda {

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
  int64_t engine = 0;     // cuDNN's number of the engine
};

// The first plan, in the order of cuDNN's heuristics and then of its fallback list, that finalizes, needs at most
// `workspace_limit` bytes, and gives the same bits on every run. Sums are float32 in every dtype, products of float32
// too: engines that round to TF32 or add up in 16 bits are passed over. Throws kDevice with the problem and the last
// refusal where there is none.
ConvolutionPlan build_plan(const ConvolutionProblem& problem, const PlanTarget& target, int64_t workspace_limit);

}  // namespace ghost::cuda
