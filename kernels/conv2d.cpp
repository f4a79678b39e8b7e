#include "kernels/conv2d.h"

#include <algorithm>

#include "kernels/depthwise_conv2d.h"

namespace ghost {
namespace {

void same_padding(int64_t size, int kernel, int stride, int* before, int* after) {
  const int64_t outputs = (size + stride - 1) / stride;
  const int total = static_cast<int>(std::max<int64_t>((outputs - 1) * stride + kernel - size, 0));
  *before = total / 2;
  *after = total - total / 2;
}

void check_tensors(const Tensor& x, const Tensor& weight, const Variable& bias) {
  GHOST_CHECK(weight.dtype() == sum_type(x.dtype()) && weight.device() == x.device(), "conv2d: input is ", x.dtype(),
              " on ", x.device(), ", but weight is ", weight.dtype(), " on ", weight.device(),
              ". Move the module and its input to one device and dtype.");
  GHOST_CHECK(weight.contiguous(), "conv2d: weight ", weight.shape(), " is a channel view with pitch ", weight.pitch(),
              "; clone() it first");
  if (!bias.defined()) return;
  GHOST_CHECK(bias.shape() == Shape({weight.dim(0)}), "conv2d: bias has shape ", bias.shape(), ", but weight ",
              weight.shape(), " needs [", weight.dim(0), "]");
  GHOST_CHECK(bias.dtype() == weight.dtype() && bias.device() == x.device(), "conv2d: input is ", x.dtype(), " on ",
              x.device(), ", but bias is ", bias.dtype(), " on ", bias.device());
}

}  // namespace

void clear(const Conv2dGradients& gradients) {
  if (gradients.dx && !gradients.accumulate_dx) gradients.dx->fill(0);
  if (gradients.dx && gradients.addend.defined()) gradients.dx->copy_from(gradients.addend);
  if (gradients.dweight) gradients.dweight->fill(0);
  if (gradients.dbias) gradients.dbias->fill(0);
}

Padding resolve_padding(const Shape& x, int kernel_h, int kernel_w, const Conv2dOptions& options) {
  if (options.padding == PaddingMode::kSymmetric) return {kernel_h / 2, kernel_w / 2, kernel_h / 2, kernel_w / 2};
  Padding padding;
  same_padding(x[1], kernel_h, options.stride, &padding.top, &padding.bottom);
  same_padding(x[2], kernel_w, options.stride, &padding.left, &padding.right);
  return padding;
}

Shape conv2d_output_shape(const Shape& x, const Shape& weight, const Conv2dOptions& options) {
  const int groups = options.groups;
  GHOST_CHECK(x.rank() == 4, "conv2d: input ", x, " must be a feature map {n, h, w, c}");
  GHOST_CHECK(weight.rank() == 4 && weight.numel() > 0, "conv2d: weight ", weight,
              " must be {out_channels, in_channels / groups, kernel_h, kernel_w}, none of them 0");
  GHOST_CHECK(options.stride >= 1, "conv2d: stride is ", options.stride, "; it must be 1 or more");
  GHOST_CHECK(groups >= 1, "conv2d: groups is ", groups, "; it must be 1 or more");
  GHOST_CHECK(x[3] == weight[1] * groups, "conv2d: input ", x, " has ", x[3], " channels, but weight ", weight,
              " with groups=", groups, " needs ", weight[1] * groups,
              ". Check out_channels of the layer before this one.");
  GHOST_CHECK(weight[0] % groups == 0, "conv2d: weight ", weight, " has ", weight[0],
              " output channels, which groups=", groups,
              " does not divide. Choose out_channels as a multiple of groups.");
  GHOST_CHECK(x[1] > 0 && x[2] > 0, "conv2d: input ", x,
              " has no pixels. Use a larger picture or fewer strides before this layer.");
  const Padding padding = resolve_padding(x, static_cast<int>(weight[2]), static_cast<int>(weight[3]), options);
  const int64_t height = x[1] + padding.top + padding.bottom - weight[2];
  const int64_t width = x[2] + padding.left + padding.right - weight[3];
  return {x[0], height / options.stride + 1, width / options.stride + 1, weight[0]};
}

ConvolutionInput convolution_input(const Feature& x, bool depthwise) {
  const Tensor& raw = x.raw.value();
  const bool on_load = raw.device().is_cpu() && !is_half(raw.dtype());  // half maps are rounded where CUDA rounds them
  if (depthwise || on_load || x.epilogue.identity()) return {raw, x.epilogue};
  const Tensor y(raw.shape(), raw.options());
  GHOST_DISPATCH(raw.device(), epilogue_forward(raw, x.epilogue, y));
  return {y, {}};
}

Tensor convolution_weight(const Tensor& weight, DType maps, bool depthwise) {
  return depthwise ? weight : weight.to(maps);
}

Feature conv2d(const Feature& x, const Variable& weight, const Variable& bias, const Conv2dOptions& options,
               Activation activation) {
  const Tensor& raw = x.raw.value();
  const Shape out = conv2d_output_shape(raw.shape(), weight.shape(), options);
  check_tensors(raw, weight.value(), bias);
  const bool depthwise = is_depthwise(raw.shape(), weight.shape(), options.groups);
  const Tensor w = convolution_weight(weight.value(), raw.dtype(), depthwise);
  const Conv2dProblem problem{
      options.stride, options.groups,
      resolve_padding(raw.shape(), static_cast<int>(w.dim(2)), static_cast<int>(w.dim(3)), options)};
  const Tensor b = bias.defined() ? bias.value() : Tensor();
  const Tensor z(out, raw.options());
  const ConvolutionInput input = convolution_input(x, depthwise);
  if (depthwise)
    GHOST_DISPATCH(z.device(), depthwise_conv2d_forward(input.x, input.epilogue, w, b, problem, z, nullptr));
  else
    GHOST_DISPATCH(z.device(), conv2d_forward(input.x, input.epilogue, w, b, problem, z, nullptr));

  const Epilogue epilogue{.scale = {}, .shift = {}, .activation = activation, .gate = {}};
  const Tensor saved_z = activation == Activation::kNone ? Tensor() : z;
  const Variable result = record(
      "conv2d", {x.raw, weight, bias}, z,
      [input, w, saved_z, epilogue, problem, depthwise](const Tensor& dy, Gradients& grads) {
        const RawGradient dz{dy, saved_z, epilogue, {}};
        Gradients::Target dx;
        Tensor dweight, dbias;
        if (grads.needed(0)) dx = grads.target(0);
        if (grads.needed(1)) dweight = Tensor(w.shape(), w.sum_options());
        if (grads.needed(2)) dbias = Tensor({w.dim(0)}, w.sum_options());
        const Conv2dGradients wanted{dx.out.defined() ? &dx.out : nullptr, dx.accumulate,
                                     dweight.defined() ? &dweight : nullptr, dbias.defined() ? &dbias : nullptr};
        if (depthwise)
          GHOST_DISPATCH(dy.device(), depthwise_conv2d_backward(input.x, input.epilogue, w, dz, problem, wanted));
        else
          GHOST_DISPATCH(dy.device(), conv2d_backward(input.x, input.epilogue, w, dz, problem, wanted));
        if (dweight.defined()) grads.set(1, dweight);
        if (dbias.defined()) grads.set(2, dbias);
      });
  return {result, epilogue};
}

}  // namespace ghost
