// A convolution as cuDNN is told of it: what its plan depends on, for the live device (conv2d_cudnn.cpp) and for a
// described one (planned_convolution.h).
#pragma once

#include <compare>
#include <string>

#include "kernels/conv2d.h"

namespace ghost {

enum class ConvolutionPass : uint8_t { kForward, kBackwardInput, kBackwardWeight };

std::string_view name_of(ConvolutionPass pass);  // "forward", "backward_input", "backward_weight"

// Bytes of workspace that a plan may have at most: 256 MB.
inline constexpr int64_t kWorkspaceLimit = 256'000'000;

// The whole problem, and the key of the plan cache. x and z are NHWC with a pitch, the weight is {o, kh, kw, c /
// groups} and dense. In the backward passes x stands for dx where it is the result, z for dz, the weight for dweight.
struct ConvolutionProblem {
  ConvolutionPass pass = ConvolutionPass::kForward;
  DType dtype = DType::kFloat32;  // of the maps
  bool tf32 = false;              // float32 products may round their inputs to TF32
  int device = 0;
  int64_t n = 0, h = 0, w = 0, c = 0, x_pitch = 0;
  int64_t out_h = 0, out_w = 0, o = 0, z_pitch = 0;
  int64_t kernel_h = 1, kernel_w = 1, stride = 1, groups = 1;
  int64_t top = 0, left = 0, bottom = 0, right = 0;
  int64_t x_alignment = 16, weight_alignment = 16, z_alignment = 16;  // bytes

  friend auto operator<=>(const ConvolutionProblem&, const ConvolutionProblem&) = default;
};

std::string describe(const ConvolutionProblem& problem);

// Whether our weight layout {o, i, kh, kw} is cuDNN's as it is: one of the two inner sizes is 1.
bool is_channels_last(const Tensor& weight);

// `weight` is the tensor that cuDNN reads or writes, in whichever layout; its shape is ours.
ConvolutionProblem convolution_problem(ConvolutionPass pass, const Tensor& x, const Tensor& weight, const Tensor& z,
                                       const Conv2dProblem& problem);

}  // namespace ghost
