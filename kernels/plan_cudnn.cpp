#include <algorithm>
#include <optional>

#include "core/error.h"
#include "kernels/cudnn_plan.h"

namespace ghost::cuda {
namespace {

cudnnDataType_t cudnn_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return CUDNN_DATA_FLOAT;
    case DType::kFloat16: return CUDNN_DATA_HALF;
    case DType::kBFloat16: return CUDNN_DATA_BFLOAT16;
    default: GHOST_FAIL(kUsage, "conv2d: cuDNN computes in float32, float16 or bfloat16, not in ", dtype);
  }
}

// Dimensions are given as {n, c, h, w} whatever the memory's order; the strides say it.
CudnnDescriptor tensor(int64_t id, DType dtype, int64_t alignment, const std::vector<int64_t>& nchw,
                       const std::vector<int64_t>& strides) {
  CudnnDescriptor descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  descriptor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id);
  descriptor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, cudnn_type(dtype));
  descriptor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, alignment);
  descriptor.set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, nchw);
  descriptor.set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, strides);
  descriptor.finalize();
  return descriptor;
}

CudnnDescriptor map(int64_t id, DType dtype, int64_t alignment, const std::vector<int64_t>& nchw, int64_t pitch) {
  return tensor(id, dtype, alignment, nchw, {nchw[2] * nchw[3] * pitch, 1, nchw[3] * pitch, pitch});
}

CudnnDescriptor convolution(const ConvolutionProblem& p) {
  CudnnDescriptor descriptor(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  descriptor.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, int64_t{2});
  descriptor.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  descriptor.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION);
  descriptor.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, std::vector<int64_t>{p.top, p.left});
  descriptor.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, std::vector<int64_t>{p.bottom, p.right});
  descriptor.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, std::vector<int64_t>{p.stride, p.stride});
  descriptor.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, std::vector<int64_t>{1, 1});
  descriptor.finalize();
  return descriptor;
}

// The attribute names that differ between the three passes.
struct PassNames {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t convolution, x, weight, z, alpha, beta;
};

PassNames names_of(ConvolutionPass pass) {
  switch (pass) {
    case ConvolutionPass::kBackwardInput:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case ConvolutionPass::kBackwardWeight:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
    case ConvolutionPass::kForward: break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
}

CudnnDescriptor operation_graph(const ConvolutionProblem& p, const PlanTarget& target) {
  const int64_t inputs = p.c / p.groups;  // groups follow from the two channel counts
  const CudnnDescriptor x = map(kXId, p.dtype, p.x_alignment, {p.n, p.c, p.h, p.w}, p.x_pitch);
  const CudnnDescriptor z = map(kZId, p.dtype, p.z_alignment, {p.n, p.o, p.out_h, p.out_w}, p.z_pitch);
  const CudnnDescriptor weight =
      map(kWeightId, p.dtype, p.weight_alignment, {p.o, inputs, p.kernel_h, p.kernel_w}, inputs);
  const CudnnDescriptor of_convolution = convolution(p);
  const PassNames names = names_of(p.pass);
  CudnnDescriptor operation(names.operation);
  operation.set(names.convolution, of_convolution);
  operation.set(names.x, x);
  operation.set(names.weight, weight);
  operation.set(names.z, z);
  operation.set(names.alpha, CUDNN_TYPE_FLOAT, 1.0f);
  operation.set(names.beta, CUDNN_TYPE_FLOAT, 0.0f);
  operation.finalize();
  CudnnDescriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  if (target.handle) graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
  graph.finalize();
  return graph;
}

// Engine configurations of a heuristics mode, best first; none where the mode has nothing for the problem.
std::vector<CudnnDescriptor> engine_configs(const CudnnDescriptor& graph, cudnnBackendHeurMode_t mode,
                                            const PlanTarget& target) {
  CudnnDescriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
  if (target.device_properties) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.device_properties);
  std::vector<CudnnDescriptor> configs;
  if (heuristics.try_finalize() != CUDNN_STATUS_SUCCESS) return configs;
  int64_t count = 0;
  check_cudnn(cudnn().get_attribute(heuristics.handle(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                    0, &count, nullptr),
              "cudnnBackendGetAttribute of heuristics");
  std::vector<cudnnBackendDescriptor_t> handles;
  for (int64_t i = 0; i < count; ++i)
    handles.push_back(configs.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).handle());
  check_cudnn(cudnn().get_attribute(heuristics.handle(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                    count, &count, handles.data()),
              "cudnnBackendGetAttribute of heuristics");
  configs.erase(configs.begin() + count, configs.end());
  return configs;
}

CudnnDescriptor engine_of(const CudnnDescriptor& config) {
  CudnnDescriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t handle = engine.handle();
  int64_t count = 0;
  check_cudnn(cudnn().get_attribute(config.handle(), CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                                    &count, &handle),
              "cudnnBackendGetAttribute of an engine");
  return engine;
}

// Same bits on every run, float32 sums, and float32 products where the tensors are float32 and TF32 is not asked for.
bool is_exact(const CudnnDescriptor& engine, const ConvolutionProblem& problem) {
  int64_t count = 0;
  std::vector<cudnnBackendNumericalNote_t> notes(CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  check_cudnn(cudnn().get_attribute(engine.handle(), CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                    static_cast<int64_t>(notes.size()), &count, notes.data()),
              "cudnnBackendGetAttribute of numerical notes");
  notes.resize(static_cast<size_t>(count));
  return std::ranges::none_of(notes, [&](cudnnBackendNumericalNote_t note) {
    if (note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE) return problem.dtype == DType::kFloat32 && !problem.tf32;
    return note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC || note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS ||
           note == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION;
  });
}

int64_t number_of(const CudnnDescriptor& engine) {
  int64_t number = 0, count = 0;
  check_cudnn(
      cudnn().get_attribute(engine.handle(), CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &count, &number),
      "cudnnBackendGetAttribute of an engine's number");
  return number;
}

// Empty where the engine refuses.
std::optional<ConvolutionPlan> try_plan(const CudnnDescriptor& config, const PlanTarget& target) {
  CudnnDescriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  if (target.handle) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  if (target.device_properties) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.device_properties);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  if (plan.try_finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
  int64_t workspace = 0, count = 0;
  check_cudnn(cudnn().get_attribute(plan.handle(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                                    &count, &workspace),
              "cudnnBackendGetAttribute of a workspace size");
  return ConvolutionPlan{std::move(plan), workspace, 0};
}

}  // namespace

ConvolutionPlan build_plan(const ConvolutionProblem& problem, const PlanTarget& target, int64_t workspace_limit) {
  const CudnnDescriptor graph = operation_graph(problem, target);
  int offered = 0, inexact = 0, too_large = 0;
  std::string refusal;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (const CudnnDescriptor& config : engine_configs(graph, mode, target)) {
      ++offered;
      const CudnnDescriptor engine = engine_of(config);
      if (!is_exact(engine, problem)) {
        ++inexact;
        continue;
      }
      std::optional<ConvolutionPlan> plan = try_plan(config, target);
      if (!plan) {
        refusal = cudnn_last_error();
      } else if (plan->workspace > workspace_limit) {
        ++too_large;
      } else {
        plan->engine = number_of(engine);
        return std::move(*plan);
      }
    }
  }
  GHOST_FAIL(kDevice, "conv2d: cuDNN has no plan for ", describe(problem), ": of ", offered, " engines ", inexact,
             " are not deterministic or not exact, ", too_large, " need a workspace of more than ",
             workspace_limit / 1'000'000, " MB, the others refuse", refusal.empty() ? "" : " (" + refusal + ")",
             ". Use device=cpu for this model, or report it.");
}

}  // namespace ghost::cuda
