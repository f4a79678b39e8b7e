// The passes around a library's convolution, once for the device that computes (namespace cuda, conv2d_cudnn.cpp) and
// once for the one that counts (namespace meta, conv2d_meta.cpp). Each includes this inside of its namespace, after a
//
//   void run_convolution(ConvolutionPass pass, const Tensor& x, const Tensor& weight, const Tensor& z,
//                        const Conv2dProblem& problem);
//
// that takes the weight in the library's layout, and
//
//   void add_product(const Tensor& dz, const Tensor& weight, const Tensor& dx);
//
// dx += dz weight, of maps as matrices of pixels and channels and of a weight {o, i}. x comes as convolution_input
// makes it, the raw gradient is materialised first; bias, moments and bias gradient are passes of their own.

namespace {

// x, the weight and z as tensors on one device, whichever of them the pass writes. `weight` is in our layout.
struct Convolution {
  Tensor x, weight, z;
  Conv2dProblem problem;

  void run(ConvolutionPass pass) const {
    const bool writes_weight = pass == ConvolutionPass::kBackwardWeight;
    // cuDNN gives the weight's gradient in the maps' type only.
    const bool reorder = !is_channels_last(weight) || weight.dtype() != x.dtype();
    const Tensor reordered = reorder ? Tensor(weight.shape(), x.options()) : weight;
    if (reorder && !writes_weight) weight_to_channels_last(weight, reordered);
    run_convolution(pass, x, reordered, z, problem);
    if (reorder && writes_weight) weight_from_channels_last(reordered, weight);
  }
};

void input_gradient(const Tensor& weight, const Tensor& dz, const Conv2dProblem& problem, bool accumulate,
                    const Tensor& dx) {
  const bool pointwise =
      weight.dim(2) * weight.dim(3) == 1 && problem.stride == 1 && problem.groups == 1 && dx.pixels() == dz.pixels();
  if (accumulate && pointwise) return add_product(dz, weight.reshape({weight.dim(0), weight.dim(1)}), dx);
  // Not every engine takes beta = 1; adding afterwards is right with each of them.
  const Tensor fresh = accumulate ? Tensor(dx.shape(), dx.options()) : dx;
  Convolution{fresh, weight, dz, problem}.run(ConvolutionPass::kBackwardInput);
  if (accumulate) tensor_add(fresh, dx);
}

}  // namespace

void conv2d_forward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const Tensor& bias,
                    const Conv2dProblem& problem, const Tensor& z, const ChannelMoments* moments) {
  cuda::require_maps("conv2d", {x, weight, z});
  cuda::require_float32("conv2d", {bias});
  GHOST_ASSERT(x_epilogue.identity(), "conv2d: a library reads plain maps");
  if (!z.empty()) {
    Convolution{x, weight, z, problem}.run(ConvolutionPass::kForward);
    if (bias.defined()) add_channel_bias(bias, z);
  }
  if (moments) batch_norm_moments(z, *moments);
}

void conv2d_backward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const RawGradient& dz,
                     const Conv2dProblem& problem, const Conv2dGradients& gradients) {
  cuda::require_maps("conv2d", {x, weight, dz.dy});
  GHOST_ASSERT(x_epilogue.identity(), "conv2d: a library reads plain maps");
  if (dz.dy.empty()) return clear(gradients);
  const Tensor gradient = materialize(dz);
  if (gradients.dx) input_gradient(weight, gradient, problem, gradients.accumulate_dx, *gradients.dx);
  if (gradients.dweight) Convolution{x, *gradients.dweight, gradient, problem}.run(ConvolutionPass::kBackwardWeight);
  if (gradients.dbias) channel_sums(gradient, *gradients.dbias);
}
