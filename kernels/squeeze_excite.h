// Squeeze-and-excitation (Hu et al., CVPR 2018) as GhostNet has it, fused: pool -> fc -> relu -> fc -> gate.
//   forward   p[n,c] = mean_{h,w} y[n,h,w,c]; q = reduce_weight p + reduce_bias; e = expand_weight relu(q) +
//   expand_bias;
//             result: the same raw map with gate[n,c] = gate_activation(e) in its epilogue; nothing of the map's size
//             is written
//   backward  dgate = sum_{h,w} dy * y, through both fc layers to dp, and dx = dy * gate + dp / (h*w), deterministic
// All but the map is in its sum_type. Weights are 1x1 convolutions' {r, c, 1, 1} and {c, r, 1, 1}; biases {r} and {c}.
// x must carry no gate yet.
#pragma once

#include "kernels/feature.h"

namespace ghost {

struct SqueezeExciteWeights {
  Variable reduce_weight, reduce_bias, expand_weight, expand_bias;
};

Feature squeeze_excite(const Feature& x, const SqueezeExciteWeights& weights, Activation gate_activation);

struct SqueezeExciteTensors {
  Tensor reduce_weight, reduce_bias, expand_weight, expand_bias;
};
// What the backward pass needs: [n, c], [n, r], [n, c].
struct SqueezeExciteSaved {
  Tensor pooled, reduced, expanded;  // p; q before its relu; e before its activation
};
GHOST_DECLARE_KERNEL(void squeeze_excite_forward(const Tensor& z, const Epilogue& epilogue,
                                                 const SqueezeExciteTensors& weights, Activation gate_activation,
                                                 const SqueezeExciteSaved& saved, const Tensor& gate))
// Weight gradients are overwritten; undefined ones, and an undefined dx, are not computed. dx may be dy itself.
// accumulate_dx: dx += instead of =.
GHOST_DECLARE_KERNEL(void squeeze_excite_backward(const Tensor& dy, const Tensor& z, const Epilogue& epilogue,
                                                  const SqueezeExciteTensors& weights, Activation gate_activation,
                                                  const SqueezeExciteSaved& saved, const Tensor& gate,
                                                  const SqueezeExciteTensors& weight_gradients, const Tensor& dx,
                                                  bool accumulate_dx))

}  // namespace ghost
