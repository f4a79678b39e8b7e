#include "kernels/batch_norm.h"
#include "kernels/channels_meta.h"
#include "kernels/map_grid.h"
#include "kernels/meta_bytes.h"

namespace ghost::meta {

void combine_moments(const Tensor& partials, const ChannelMoments& moments) {
  kernel("combine_moments_kernel", {partials, moments.mean, moments.variance});
}

void batch_norm_moments(const Tensor& z, const ChannelMoments& moments) {
  if (z.empty()) {
    moments.mean.fill(0);
    return moments.variance.fill(0);
  }
  const Tensor partials({reduction_parts({z}), 3, z.channels()}, moments.mean.options());
  kernel("moments_kernel", {z, partials});
  combine_moments(partials, moments);
}

void batch_norm_scale_shift(const ChannelMoments& moments, const Tensor& gamma, const Tensor& beta, double, double,
                            int64_t, const Tensor& running_mean, const Tensor& running_var, const Tensor& scale,
                            const Tensor& shift) {
  if (scale.empty()) return;
  kernel("scale_shift_kernel", {moments.mean, moments.variance, gamma, beta, running_mean, running_mean, running_var,
                                running_var, scale, shift});
}

void batch_norm_backward(const RawGradient& dz, const ChannelMoments& moments, const Tensor& gamma, double, bool,
                         const Tensor& dgamma, const Tensor& dbeta) {
  if (gamma.empty()) return;
  const Tensor partials({reduction_parts({dz.z, dz.dy}), 2, gamma.numel()}, gamma.options());
  kernel("batch_norm_sums_kernel", bytes_of({dz.dy, dz.z, moments.mean, partials}) + bytes_of(dz.epilogue));
  kernel("batch_norm_coefficients_kernel",
         {partials, moments.mean, moments.variance, gamma, dgamma, dbeta, dz.coefficients});
}

}  // namespace ghost::meta
