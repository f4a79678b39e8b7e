#include "layers/squeeze_excite.h"

#include "layers/layer_scope.h"

namespace ghost {

SqueezeExcite::SqueezeExcite(int64_t channels, int64_t reduced_channels, Activation gate,
                             const std::string& reduce_name, const std::string& expand_name)
    : conv_reduce_({.in_channels = channels, .out_channels = reduced_channels, .bias = true}),
      conv_expand_({.in_channels = reduced_channels, .out_channels = channels, .bias = true}),
      gate_(gate) {
  register_child(reduce_name, conv_reduce_);
  register_child(expand_name, conv_expand_);
}

Feature SqueezeExcite::forward(const Feature& x) {
  return in_module(*this, [&] {
    const SqueezeExciteWeights weights{conv_reduce_.weight(), conv_reduce_.bias(), conv_expand_.weight(),
                                       conv_expand_.bias()};
    Feature y = squeeze_excite(x, weights, gate_);
    layer_done(*this, x.shape(), y,
               y.shape()[0] * (weights.reduce_weight.value().numel() + weights.expand_weight.value().numel()));
    return y;
  });
}

}  // namespace ghost
