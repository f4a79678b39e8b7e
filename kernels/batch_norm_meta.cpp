#include "kernels/batch_norm.h"
#include "kernels/channels_meta.h"
#include "kernels/map_grid.h"
#include "kernels/meta_bytes.h"

namespace ghost::meta {

int64_t bytes_of_moments(const Tensor& partials, const ChannelMoments& moments) {
  int64_t bytes = bytes_of({partials, partials, moments.mean, moments.variance});
  if (moments.then) bytes += bytes_of(*moments.then);
  return bytes;
}

int64_t bytes_of(const ScaleShift& to) {
  return bytes_of(
      {to.gamma, to.beta, to.running_mean, to.running_mean, to.running_var, to.running_var, to.scale, to.shift});
}

void batch_norm_moments(const Tensor& z, const ChannelMoments& moments) {
  if (z.empty()) {
    moments.mean.fill(0);
    moments.variance.fill(0);
    if (moments.then) batch_norm_scale_shift(moments, *moments.then);
    return;
  }
  const Tensor partials({reduction_parts({z}), 3, z.channels()}, moments.mean.options());
  kernel("moments_kernel", bytes_of(z) + bytes_of_moments(partials, moments));
}

void batch_norm_scale_shift(const ChannelMoments& moments, const ScaleShift& to) {
  if (!to.scale.empty()) kernel("scale_shift_kernel", bytes_of({moments.mean, moments.variance}) + bytes_of(to));
}

void batch_norm_backward(const RawGradient& dz, const ChannelMoments& moments, const Tensor& gamma, double, bool,
                         const Tensor& dgamma, const Tensor& dbeta) {
  if (gamma.empty()) return;
  const Tensor partials({reduction_parts({dz.z, dz.dy}), 2, gamma.numel()}, gamma.options());
  kernel("batch_norm_backward_kernel", bytes_of({dz.dy, dz.z, partials, partials, moments.mean, moments.variance, gamma,
                                                 dgamma, dbeta, dz.coefficients}) +
                                           bytes_of(dz.epilogue));
}

}  // namespace ghost::meta
