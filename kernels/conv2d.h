// 2-D convolution (cross-correlation) of NHWC maps, dense or grouped; depthwise ones go to depthwise_conv2d.
//   forward   z[n,i,j,o] = bias[o] + sum_{r,s,k} y[n, i*stride - pad.top + r, j*stride - pad.left + s, k] *
//   weight[o,k,r,s],
//             y = x with its epilogue applied on load, 0 outside
//   backward  dx: gradient of y; dweight, dbias: overwritten, deterministic for any thread count
// Half maps take float32 weights and biases, and give float32 gradients of them; a dense convolution multiplies with
// the weight rounded to the maps' type, once for forward and backward, and its gradient is rounded so too. 1x1
// convolutions with stride 1 read and write channel views at full speed.
#pragma once

#include <optional>

#include "kernels/feature.h"

namespace ghost {

struct Padding {
  int top = 0, left = 0, bottom = 0, right = 0;
  static constexpr Padding same_all(int p) { return {p, p, p, p}; }
};

enum class PaddingMode {
  kSymmetric,  // k / 2 on each side: PyTorch, timm
  kSame,       // TensorFlow 'same': total = max((ceil(n / s) - 1) * s + k - n, 0), before = total / 2
};

struct Conv2dOptions {
  int stride = 1;
  PaddingMode padding = PaddingMode::kSymmetric;
  int groups = 1;
};

// The padding of one convolution; depends on the input size for kSame.
Padding resolve_padding(const Shape& x, int kernel_h, int kernel_w, const Conv2dOptions& options);

// What a batch norm makes of its moments (kernels/batch_norm.h): scale and shift, and in training the running
// statistics' update. [c] each.
struct ScaleShift {
  Tensor gamma, beta;
  double eps = 0, momentum = 0;
  int64_t count = 0;                 // n * h * w
  Tensor running_mean, running_var;  // undefined: left alone
  Tensor scale, shift;               // written
};

// Mean and biased variance of each output channel over n, h, w, gathered while the output is in cache. [c] each, in z's
// sum_type, of z as it is stored; combined from per-tile means and squared deviations, so large means do not cancel.
struct ChannelMoments {
  Tensor mean, variance;
  const ScaleShift* then = nullptr;  // to be made as soon as the moments are there, in the same launch where that helps
};

// Everything a convolution kernel needs to know of the problem. Weight {o, k / groups, kh, kw}, contiguous.
struct Conv2dProblem {
  int stride = 1, groups = 1;
  Padding padding;
};

// What a convolution reads of a feature: the raw map, its epilogue applied on load. Dense convolutions of other devices
// than the CPU are a library's, which reads plain maps: for them it is applied here, once for forward and backward.
struct ConvolutionInput {
  Tensor x;
  Epilogue epilogue;
};
ConvolutionInput convolution_input(const Feature& x, bool depthwise);

// What its kernels take of a weight: a dense one in the maps' type, a depthwise one as it is.
Tensor convolution_weight(const Tensor& weight, DType maps, bool depthwise);

// weight as convolution_weight() makes it, here and below; bias, dweight and dbias in its sum_type.
// z is allocated by the caller, of any pitch. bias may be undefined. moments: null, or both tensors are written.
GHOST_DECLARE_KERNEL(void conv2d_forward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight,
                                         const Tensor& bias, const Conv2dProblem& problem, const Tensor& z,
                                         const ChannelMoments* moments))

// Null outputs are not computed. accumulate_dx: dx += instead of dx =; dx may have any pitch. addend (depthwise
// convolutions outside of the CPU): dx = addend + instead of dx +=.
struct Conv2dGradients {
  Tensor* dx = nullptr;
  bool accumulate_dx = false;
  Tensor* dweight = nullptr;
  Tensor* dbias = nullptr;
  Tensor addend{};
};
// What a convolution without output pixels gives: zeros.
void clear(const Conv2dGradients& gradients);
GHOST_DECLARE_KERNEL(void conv2d_backward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight,
                                          const RawGradient& dz, const Conv2dProblem& problem,
                                          const Conv2dGradients& gradients))

// Convolution, bias (optional: an undefined Variable) and activation. The result is raw with the activation as
// epilogue.
Feature conv2d(const Feature& x, const Variable& weight, const Variable& bias, const Conv2dOptions& options,
               Activation activation = Activation::kNone);

// {n, oh, ow, o} of conv2d; checks x against weight and options, with what to do in the message.
Shape conv2d_output_shape(const Shape& x, const Shape& weight, const Conv2dOptions& options);

}  // namespace ghost
