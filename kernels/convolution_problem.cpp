#include "kernels/convolution_problem.h"

#include <bit>

#include "kernels/tf32.h"

namespace ghost {
namespace {

// The largest power of two up to 16 that the address is a multiple of.
int64_t alignment_of(const Tensor& tensor) {
  return int64_t{1} << std::countr_zero(reinterpret_cast<uintptr_t>(tensor.raw_data()) | 16u);
}

// A map of one pixel may carry any pitch; cuDNN wants one that holds the channels.
int64_t pitch_of(const Tensor& map) { return map.contiguous() ? map.channels() : map.pitch(); }

}  // namespace

std::string_view name_of(ConvolutionPass pass) {
  switch (pass) {
    case ConvolutionPass::kForward: return "forward";
    case ConvolutionPass::kBackwardInput: return "backward_input";
    case ConvolutionPass::kBackwardWeight: return "backward_weight";
  }
  GHOST_ASSERT(false, "pass ", static_cast<int>(pass));
}

std::string describe(const ConvolutionProblem& p) {
  return str(name_of(p.pass), ' ', p.dtype, p.tf32 ? " (TF32 allowed)" : "", " input [", p.n, ", ", p.h, ", ", p.w,
             ", ", p.c, "] pitch ", p.x_pitch, ", output [", p.n, ", ", p.out_h, ", ", p.out_w, ", ", p.o, "] pitch ",
             p.z_pitch, ", kernel ", p.kernel_h, 'x', p.kernel_w, ", stride ", p.stride, ", groups ", p.groups,
             ", padding ", p.top, ' ', p.left, ' ', p.bottom, ' ', p.right, ", alignment ", p.x_alignment, ' ',
             p.weight_alignment, ' ', p.z_alignment);
}

bool is_channels_last(const Tensor& weight) { return weight.dim(1) == 1 || weight.dim(2) * weight.dim(3) == 1; }

ConvolutionProblem convolution_problem(ConvolutionPass pass, const Tensor& x, const Tensor& weight, const Tensor& z,
                                       const Conv2dProblem& problem) {
  ConvolutionProblem p;
  p.pass = pass;
  p.dtype = x.dtype();
  p.tf32 = p.dtype == DType::kFloat32 && Tf32Scope::active();
  p.device = x.device().index();
  p.n = x.dim(0), p.h = x.dim(1), p.w = x.dim(2), p.c = x.dim(3), p.x_pitch = pitch_of(x);
  p.out_h = z.dim(1), p.out_w = z.dim(2), p.o = z.dim(3), p.z_pitch = pitch_of(z);
  p.kernel_h = weight.dim(2), p.kernel_w = weight.dim(3), p.stride = problem.stride, p.groups = problem.groups;
  p.top = problem.padding.top, p.left = problem.padding.left;
  p.bottom = problem.padding.bottom, p.right = problem.padding.right;
  p.x_alignment = alignment_of(x), p.weight_alignment = alignment_of(weight), p.z_alignment = alignment_of(z);
  return p;
}

}  // namespace ghost
