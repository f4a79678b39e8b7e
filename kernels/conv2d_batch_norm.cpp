#include "kernels/batch_norm_node.h"
#include "kernels/depthwise_conv2d.h"

namespace ghost {
namespace {

void check_slot(const FeatureSlot& slot, const Shape& z, const TensorOptions& options) {
  GHOST_CHECK(slot.z.shape() == z, "conv2d_batch_norm: the output has shape ", z, ", but the slot it is to fill has ",
              slot.z.shape(), ". Ask the buffer for a slot of that size.");
  GHOST_CHECK(slot.z.dtype() == options.dtype && slot.z.device() == options.device, "conv2d_batch_norm: the input is ",
              options.dtype, " on ", options.device, ", the slot ", slot.z.dtype(), " on ", slot.z.device());
  GHOST_CHECK(slot.scale.shape() == Shape({z[3]}) && slot.shift.shape() == Shape({z[3]}),
              "conv2d_batch_norm: the slot's scale and shift have shapes ", slot.scale.shape(), " and ",
              slot.shift.shape(), "; ", z[3], " values each are needed");
}

struct Convolution {
  ConvolutionInput input;
  Tensor weight;
  Conv2dProblem problem;
  bool depthwise;

  void forward(const Tensor& z, const ChannelMoments* moments) const {
    if (depthwise)
      GHOST_DISPATCH(z.device(),
                     depthwise_conv2d_forward(input.x, input.epilogue, weight, Tensor(), problem, z, moments));
    else
      GHOST_DISPATCH(z.device(), conv2d_forward(input.x, input.epilogue, weight, Tensor(), problem, z, moments));
  }
  void backward(const RawGradient& dz, const Conv2dGradients& gradients) const {
    if (depthwise)
      GHOST_DISPATCH(weight.device(),
                     depthwise_conv2d_backward(input.x, input.epilogue, weight, dz, problem, gradients));
    else
      GHOST_DISPATCH(weight.device(), conv2d_backward(input.x, input.epilogue, weight, dz, problem, gradients));
  }
};

// Inputs of the node, in this order.
enum Input { kX, kWeight, kGamma };

void backward_of(const Convolution& convolution, const Tensor& z, const BatchNormSaved& saved, const Tensor& dy,
                 Gradients& grads) {
  const RawGradient dz = batch_norm_gradient(dy, z, saved, grads, kGamma);
  Conv2dGradients wanted;
  Gradients::Target dx;
  Tensor dweight;
  if (grads.needed(kX)) {
    dx = convolution.depthwise && !z.device().is_cpu() ? grads.target_with_addend(kX) : grads.target(kX);
    wanted.dx = &dx.out;
    wanted.accumulate_dx = dx.accumulate;
    wanted.addend = dx.addend;
  }
  if (grads.needed(kWeight)) {
    dweight = Tensor(convolution.weight.shape(), convolution.weight.sum_options());
    wanted.dweight = &dweight;
  }
  if (!wanted.dx && !wanted.dweight) return;
  convolution.backward(dz, wanted);
  if (wanted.dweight) grads.set(kWeight, dweight);
}

}  // namespace

Feature conv2d_batch_norm(const Feature& x, const Variable& weight, const BatchNormState& state,
                          const Conv2dOptions& conv_options, const BatchNormOptions& options, Activation activation,
                          const FeatureSlot* slot) {
  const Shape shape = conv2d_output_shape(x.shape(), weight.shape(), conv_options);
  const TensorOptions like = x.raw.value().options(), of_channels = x.raw.value().sum_options();
  check_batch_norm("conv2d_batch_norm", shape[3], state, options);
  if (slot) check_slot(*slot, shape, like);
  const FeatureSlot out =
      slot ? *slot : FeatureSlot{Tensor(shape, like), Tensor({shape[3]}, of_channels), Tensor({shape[3]}, of_channels)};

  const int kernel_h = static_cast<int>(weight.dim(2)), kernel_w = static_cast<int>(weight.dim(3));
  const Conv2dProblem problem{conv_options.stride, conv_options.groups,
                              resolve_padding(x.shape(), kernel_h, kernel_w, conv_options)};
  const bool depthwise = is_depthwise(x.shape(), weight.shape(), conv_options.groups);
  const Convolution convolution{convolution_input(x, depthwise),
                                convolution_weight(weight.value(), like.dtype, depthwise), problem, depthwise};
  const BatchNormSaved saved =
      run_batch_norm(state, options, activation, out.z.pixels(), out.scale, out.shift,
                     [&](const ChannelMoments* moments) { convolution.forward(out.z, moments); });
  const Variable raw =
      record(depthwise ? "depthwise_conv2d_batch_norm" : "conv2d_batch_norm", {x.raw, weight, state.gamma, state.beta},
             out.z, [convolution, z = out.z, saved](const Tensor& dy, Gradients& grads) {
               backward_of(convolution, z, saved, dy, grads);
             });
  return {raw, saved.epilogue};
}

}  // namespace ghost
