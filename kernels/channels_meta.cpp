#include "kernels/channels_meta.h"

#include "core/meta.h"
#include "kernels/map_grid.h"

namespace ghost::meta {
namespace {

void transpose_inner(const Tensor& source, const Tensor& target) {
  if (!source.empty()) kernel("transpose_inner_kernel", {source, target});
}

}  // namespace

void add_channel_bias(const Tensor& bias, const Tensor& z) {
  if (!z.empty()) kernel("add_channel_bias_kernel", {bias, z, z});
}

void channel_sums(const Tensor& dz, const Tensor& sums) {
  if (dz.empty()) return sums.fill(0);
  const Tensor partials({reduction_parts({dz}), dz.channels()}, sums.options());
  kernel("channel_sums_kernel", {dz, partials, partials, sums});
}

void weight_to_channels_last(const Tensor& source, const Tensor& target) { transpose_inner(source, target); }
void weight_from_channels_last(const Tensor& source, const Tensor& target) { transpose_inner(source, target); }

}  // namespace ghost::meta
