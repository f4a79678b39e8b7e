// The twin of conv2d_cudnn.cpp: counts where that calls cuDNN.
#include "core/allocator.h"
#include "core/tensor_ops.h"
#include "kernels/batch_norm.h"
#include "kernels/channels_meta.h"
#include "kernels/cuda_require.h"
#include "kernels/meta_bytes.h"
#include "kernels/planned_convolution.h"

namespace ghost {
namespace {

thread_local const ConvolutionPlanner* active_planner = nullptr;

}  // namespace

PlannerScope::PlannerScope(const ConvolutionPlanner& planner)
    : outer_(std::exchange(active_planner, planner ? &planner : nullptr)) {}
PlannerScope::~PlannerScope() { active_planner = outer_; }
const ConvolutionPlanner* PlannerScope::active() { return active_planner; }

namespace meta {
namespace {

void run_convolution(ConvolutionPass pass, const Tensor& x, const Tensor& weight, const Tensor& z,
                     const Conv2dProblem& problem) {
  PlannedConvolution plan;
  if (const ConvolutionPlanner* const planner = PlannerScope::active())
    plan = (*planner)(convolution_problem(pass, x, weight, z, problem));
  const std::shared_ptr<void> workspace = allocate(plan.workspace, Device::meta());
  count_kernel({.name = "conv2d " + std::string(name_of(pass)),
                .bytes = bytes_of({x, weight, z}),
                .flops = 2 * z.numel() * weight.numel() / weight.dim(0),
                .run_by = RunBy::kCudnn,
                .workspace = plan.workspace,
                .plan = plan.name});
}

void add_product(const Tensor& dz, const Tensor& weight, const Tensor& dx) {
  count_kernel({.name = "conv2d " + std::string(name_of(ConvolutionPass::kBackwardInput)),
                .bytes = bytes_of({dz, weight, dx, dx}),
                .flops = 2 * dz.pixels() * weight.numel(),
                .run_by = RunBy::kCublasLt});
}

}  // namespace

#include "kernels/conv2d_passes-inl.h"

}  // namespace meta
}  // namespace ghost
