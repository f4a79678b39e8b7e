// Squeeze-and-excitation as a layer: two 1x1 convolutions with bias, named as timm's.
#pragma once

#include "kernels/squeeze_excite.h"
#include "layers/conv.h"

namespace ghost {

class SqueezeExcite : public Module {
 public:
  // reduce_name, expand_name: what its parent's framework calls the two convolutions.
  SqueezeExcite(int64_t channels, int64_t reduced_channels, Activation gate,
                const std::string& reduce_name = "conv_reduce", const std::string& expand_name = "conv_expand");
  std::string kind() const override { return "squeeze_excite (" + name_of(gate_) + ")"; }
  // The same map with a gate per (n, c) in its epilogue. x carries no gate yet.
  Feature forward(const Feature& x);

 private:
  Conv2d conv_reduce_, conv_expand_;
  Activation gate_;
};

}  // namespace ghost
