#include "kernels/squeeze_excite.h"

namespace ghost {
namespace {

void check(const Tensor& z, const Epilogue& epilogue, const SqueezeExciteTensors& weights) {
  GHOST_CHECK(z.rank() == 4 && z.dim(1) * z.dim(2) >= 1,
              "squeeze_excite: a map {n, h, w, c} with at least one pixel is "
              "needed, got ",
              z.shape());
  GHOST_ASSERT(!epilogue.gate.defined(), "squeeze_excite of a feature that already has a gate");
  const int64_t c = z.channels(), r = weights.reduce_weight.dim(0);
  const auto expect = [&](const char* name, const Tensor& weight, const Shape& shape) {
    GHOST_CHECK(weight.shape() == shape && weight.dtype() == sum_type(z.dtype()) && weight.device() == z.device(),
                "squeeze_excite: ", name, " is ", weight.dtype(), ' ', weight.shape(), " on ", weight.device(),
                "; the map ", z.dtype(), ' ', z.shape(), " on ", z.device(), " needs ", shape);
  };
  expect("reduce_weight", weights.reduce_weight, {r, c, 1, 1});
  expect("reduce_bias", weights.reduce_bias, {r});
  expect("expand_weight", weights.expand_weight, {c, r, 1, 1});
  expect("expand_bias", weights.expand_bias, {c});
}

}  // namespace

Feature squeeze_excite(const Feature& x, const SqueezeExciteWeights& weights, Activation gate_activation) {
  const Tensor& z = x.raw.value();
  const SqueezeExciteTensors tensors{weights.reduce_weight.value(), weights.reduce_bias.value(),
                                     weights.expand_weight.value(), weights.expand_bias.value()};
  check(z, x.epilogue, tensors);
  const int64_t n = z.dim(0), c = z.channels(), r = tensors.reduce_weight.dim(0);
  const TensorOptions small = z.sum_options();
  const SqueezeExciteSaved saved{Tensor({n, c}, small), Tensor({n, r}, small), Tensor({n, c}, small)};
  const Tensor gate({n, c}, small);
  GHOST_DISPATCH(z.device(), squeeze_excite_forward(z, x.epilogue, tensors, gate_activation, saved, gate));

  const Variables inputs{x.raw, weights.reduce_weight, weights.reduce_bias, weights.expand_weight, weights.expand_bias};
  const auto backward = [z, epilogue = x.epilogue, tensors, gate_activation, saved, gate](const Tensor& dy,
                                                                                          Gradients& grads) {
    const auto fresh = [&](int input, const Tensor& like) {
      return grads.needed(input) ? Tensor(like.shape(), like.options()) : Tensor();
    };
    const SqueezeExciteTensors d{fresh(1, tensors.reduce_weight), fresh(2, tensors.reduce_bias),
                                 fresh(3, tensors.expand_weight), fresh(4, tensors.expand_bias)};
    const bool in_place = grads.needed(0) && grads.may_overwrite_dy();
    Gradients::Target dx;
    if (in_place)
      dx.out = dy;
    else if (grads.needed(0))
      dx = grads.target(0);
    GHOST_DISPATCH(dy.device(), squeeze_excite_backward(dy, z, epilogue, tensors, gate_activation, saved, gate, d,
                                                        dx.out, dx.accumulate));
    if (in_place) grads.pass(0, dy);
    const Tensor* const weight_gradients[] = {&d.reduce_weight, &d.reduce_bias, &d.expand_weight, &d.expand_bias};
    for (int i = 0; i < 4; ++i) grads.set(1 + i, *weight_gradients[i]);  // nothing where not needed
  };
  Epilogue gated = x.epilogue;
  gated.gate = gate;
  return {record("squeeze_excite", inputs, z, backward), std::move(gated)};
}

}  // namespace ghost
