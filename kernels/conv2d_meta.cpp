// The twin of conv2d_cudnn.cpp: the same passes around the same calls.
#include "core/allocator.h"
#include "kernels/batch_norm.h"
#include "kernels/channels_meta.h"
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

struct Convolution {
  Tensor x, weight, z;
  Conv2dProblem problem;

  void run(ConvolutionPass pass) const {
    const bool reorder = !is_channels_last(weight), writes_weight = pass == ConvolutionPass::kBackwardWeight;
    const Tensor reordered = reorder ? Tensor(weight.shape(), weight.options()) : weight;
    if (reorder && !writes_weight) weight_to_channels_last(weight, reordered);
    PlannedConvolution plan;
    if (const ConvolutionPlanner* const planner = PlannerScope::active())
      plan = (*planner)(convolution_problem(pass, x, reordered, z, problem));
    const std::shared_ptr<void> workspace = allocate(plan.workspace, Device::meta());
    count_kernel({.name = "conv2d " + std::string(name_of(pass)),
                  .bytes = bytes_of({x, reordered, z}),
                  .flops = 2 * z.numel() * weight.numel() / weight.dim(0),
                  .run_by = RunBy::kCudnn,
                  .workspace = plan.workspace,
                  .plan = plan.name});
    if (reorder && writes_weight) weight_from_channels_last(reordered, weight);
  }
};

Tensor materialized(const Tensor& x, const Epilogue& epilogue) {
  if (epilogue.identity()) return x;
  const Tensor y(x.shape(), x.options());
  epilogue_forward(x, epilogue, y);
  return y;
}

void input_gradient(const Tensor& weight, const Tensor& dz, const Conv2dProblem& problem, bool accumulate,
                    const Tensor& dx) {
  const Tensor fresh = accumulate ? Tensor(dx.shape(), dx.options()) : dx;
  Convolution{fresh, weight, dz, problem}.run(ConvolutionPass::kBackwardInput);
  if (accumulate) dx.add_in_place(fresh);
}

}  // namespace

void conv2d_forward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const Tensor& bias,
                    const Conv2dProblem& problem, const Tensor& z, const ChannelMoments* moments) {
  if (!z.empty()) {
    Convolution{materialized(x, x_epilogue), weight, z, problem}.run(ConvolutionPass::kForward);
    if (bias.defined()) add_channel_bias(bias, z);
  }
  if (moments) batch_norm_moments(z, *moments);
}

void conv2d_backward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const RawGradient& dz,
                     const Conv2dProblem& problem, const Conv2dGradients& gradients) {
  if (dz.dy.empty()) {
    if (gradients.dx && !gradients.accumulate_dx) gradients.dx->fill(0);
    if (gradients.dweight) gradients.dweight->fill(0);
    if (gradients.dbias) gradients.dbias->fill(0);
    return;
  }
  const Tensor gradient = materialize(dz);
  if (gradients.dx) input_gradient(weight, gradient, problem, gradients.accumulate_dx, *gradients.dx);
  if (gradients.dweight)
    Convolution{materialized(x, x_epilogue), *gradients.dweight, gradient, problem}.run(
        ConvolutionPass::kBackwardWeight);
  if (gradients.dbias) channel_sums(gradient, *gradients.dbias);
}

}  // namespace meta
}  // namespace ghost
