#include "kernels/batch_norm.h"
#include "kernels/channels_meta.h"
#include "kernels/depthwise_grid.h"
#include "kernels/meta_bytes.h"

namespace ghost::meta {
namespace {

int64_t flops_of(const Tensor& z, const Tensor& weight) { return 2 * z.numel() * weight.dim(2) * weight.dim(3); }

void input_gradient(const Tensor& weight, const RawGradient& dz, const DepthwiseSize& size, const Tensor& addend,
                    const Tensor& dx) {
  const bool fast = is_fast_depthwise(size, fits_vectors({dz.dy, dz.z, addend, dx}));
  kernel(fast ? "depthwise_input_strip_kernel" : "depthwise_input_plain_kernel",
         bytes_of(dz) + bytes_of({weight, addend, dx}), flops_of(dz.dy, weight));
}

void weight_gradient(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const RawGradient& dz,
                     const DepthwiseSize& size, const Conv2dGradients& gradients) {
  const bool fast = is_fast_depthwise(size, fits_vectors({x, dz.dy, dz.z}));
  const int64_t taps = weight.dim(2) * weight.dim(3);
  const int64_t parts = fast ? depthwise_weight_grid(size).grid.y
                             : map_grid({1, dz.dy.pixels(), size.channels}, 1, kStripsPerThread).grid.y;
  const Tensor partials({parts, taps + 1, size.channels}, weight.options());
  const int64_t results = bytes_of({partials, partials, gradients.dweight ? *gradients.dweight : Tensor(),
                                    gradients.dbias ? *gradients.dbias : Tensor()});
  kernel(fast ? "depthwise_weight_strip_kernel" : "depthwise_weight_plain_kernel",
         bytes_of(x, x_epilogue) + bytes_of(dz) + results, flops_of(dz.dy, weight));
}

}  // namespace

void depthwise_conv2d_forward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const Tensor& bias,
                              const Conv2dProblem& problem, const Tensor& z, const ChannelMoments* moments) {
  if (z.empty()) {
    if (moments) batch_norm_moments(z, *moments);
    return;
  }
  const DepthwiseSize size = depthwise_size(x, weight, problem, z);
  const bool fast = is_fast_depthwise(size, fits_vectors({x, z}));
  int64_t bytes = bytes_of(x, x_epilogue) + bytes_of({weight, bias, z});
  if (fast && moments) {
    const int64_t parts = map_grid({1, size.strips(), size.channels}, kLanes).grid.y;
    bytes += bytes_of_moments(Tensor({parts, 3, size.channels}, moments->mean.options()), *moments);
  }
  kernel(fast ? "depthwise_strip_kernel" : "depthwise_plain_kernel", bytes, flops_of(z, weight));
  if (!fast && moments) batch_norm_moments(z, *moments);
}

void depthwise_conv2d_backward(const Tensor& x, const Epilogue& x_epilogue, const Tensor& weight, const RawGradient& dz,
                               const Conv2dProblem& problem, const Conv2dGradients& gradients) {
  if (x.empty() || dz.dy.empty()) return clear(gradients);
  const DepthwiseSize size = depthwise_size(x, weight, problem, dz.dy);
  if (gradients.dx) input_gradient(weight, dz, size, addend_of(gradients), *gradients.dx);
  if (gradients.dweight || gradients.dbias) weight_gradient(x, x_epilogue, weight, dz, size, gradients);
}

}  // namespace ghost::meta
