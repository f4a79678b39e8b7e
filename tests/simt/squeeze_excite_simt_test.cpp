#include <gtest/gtest.h>

#include "kernels/squeeze_excite.h"
#include "tests/simt/feature_inputs.h"

namespace ghost {
namespace {

SqueezeExciteTensors random_weights(int64_t c, int64_t r) {
  const auto random = [](const Shape& shape, uint64_t seed) {
    return simt::random_map(shape, {.seed = seed}).view().clone();
  };
  return {random({r, c, 1, 1}, 31), random({r}, 32), random({c, r, 1, 1}, 33), random({c}, 34)};
}

template <class Make>
SqueezeExciteTensors like(const SqueezeExciteTensors& weights, const Make& make) {
  return {make(weights.reduce_weight), make(weights.reduce_bias), make(weights.expand_weight),
          make(weights.expand_bias)};
}

struct SqueezeExciteCase {
  simt::MapCase map;
  int64_t reduced;
  simt::EpilogueCase epilogue;
  Activation gate;
};

const SqueezeExciteCase kCases[] = {
    {{{2, 3, 5, 8}, {.before = 4, .after = 4}}, 2, {true, Activation::kNone}, Activation::kHardSigmoid},
    {{{9, 2, 3, 19}, {.before = 3, .after = 1}}, 5, {true, Activation::kRelu}, Activation::kSigmoid},
    {{{1, 1, 1, 4}, {}}, 1, {}, Activation::kHardSigmoidKeras},
    {{{2, 2, 2, 264}, {.before = 4}}, 36, {true, Activation::kSwish}, Activation::kHardSigmoid},
    {{{3, 4, 4, 40}, {}}, 12, {false, Activation::kHardSwish}, Activation::kRelu},
};

std::string describe(const SqueezeExciteCase& c) {
  return str(simt::describe(c.map), ", ", c.reduced, " reduced, ", c.epilogue, ", gate ", simt::name_of(c.gate));
}

void check_squeeze_excite(const SqueezeExciteCase& c) {
  const Shape& shape = c.map.shape;
  const int64_t n = shape[0], channels = shape[-1];
  const simt::MapOptions pitch = c.map.pitch;
  const simt::Surrounded z = simt::random_map(shape, {.seed = 4, .before = pitch.before, .after = pitch.after});
  const simt::Surrounded dy = simt::random_map(shape, {.seed = 5, .before = pitch.after, .after = pitch.before});
  const simt::Surrounded old = simt::random_map(shape, {.seed = 6});
  const Epilogue epilogue = simt::random_epilogue(shape, c.epilogue, 7);
  const SqueezeExciteTensors weights = random_weights(channels, c.reduced);

  const auto doubles = [](const Tensor& tensor) { return simt::to_double(tensor); };
  const SqueezeExciteTensors weights64 = like(weights, doubles);
  const SqueezeExciteSaved saved64{simt::empty_double({n, channels}), simt::empty_double({n, c.reduced}),
                                   simt::empty_double({n, channels})};
  const Tensor gate64 = simt::empty_double({n, channels});
  cpu::squeeze_excite_forward(doubles(z), simt::to_double(epilogue), weights64, c.gate, saved64, gate64);
  const SqueezeExciteTensors gradients64 = like(weights, [](const Tensor& w) { return simt::empty_double(w.shape()); });
  Tensor dx64[2];  // overwritten, added
  for (int accumulate = 0; accumulate < 2; ++accumulate) {
    dx64[accumulate] = doubles(old);
    cpu::squeeze_excite_backward(doubles(dy), doubles(z), simt::to_double(epilogue), weights64, c.gate, saved64, gate64,
                                 gradients64, dx64[accumulate], accumulate != 0);
  }

  simt::for_each_order([&] {
    const simt::Surrounded pooled = simt::empty_map({n, channels}), reduced = simt::empty_map({n, c.reduced});
    const simt::Surrounded expanded = simt::empty_map({n, channels}), gate = simt::empty_map({n, channels});
    const SqueezeExciteSaved saved{pooled, reduced, expanded};
    simt::squeeze_excite_forward(z, epilogue, weights, c.gate, saved, gate);
    const auto expect = [&](const char* name, const Tensor& got, const Tensor& want) {
      simt::expect_close({std::string("squeeze_excite ") + name, describe(c), 4}, got, want, simt::kLimit);
    };
    expect("pooled", pooled, saved64.pooled);
    expect("reduced", reduced, saved64.reduced);
    expect("expanded", expanded, saved64.expanded);
    expect("gate", gate, gate64);

    const auto backward = [&](const Tensor& incoming, const SqueezeExciteTensors& gradients, const Tensor& dx,
                              bool accumulate) {
      simt::squeeze_excite_backward(incoming, z, epilogue, weights, c.gate, saved, gate, gradients, dx, accumulate);
    };
    for (int accumulate = 0; accumulate < 2; ++accumulate) {
      const simt::Surrounded dx = simt::copy_map(old, pitch.before, pitch.after);
      const SqueezeExciteTensors gradients =
          like(weights, [](const Tensor& w) { return simt::empty_map(w.shape()).view(); });
      backward(dy, gradients, dx, accumulate != 0);
      expect("dx", dx, dx64[accumulate]);
      expect("dreduce_weight", gradients.reduce_weight, gradients64.reduce_weight);
      expect("dreduce_bias", gradients.reduce_bias, gradients64.reduce_bias);
      expect("dexpand_weight", gradients.expand_weight, gradients64.expand_weight);
      expect("dexpand_bias", gradients.expand_bias, gradients64.expand_bias);
    }
    // dx over dy, weights frozen but for one bias.
    const simt::Surrounded in_place = simt::copy_map(dy, pitch.before);
    SqueezeExciteTensors one;
    one.reduce_bias = Tensor({c.reduced});
    backward(in_place, one, in_place, false);
    expect("dx over dy", in_place, dx64[0]);
    expect("only dreduce_bias", one.reduce_bias, gradients64.reduce_bias);
    // No dx.
    SqueezeExciteTensors weight_only;
    weight_only.expand_weight = Tensor(weights.expand_weight.shape());
    backward(dy, weight_only, {}, false);
    expect("only dexpand_weight", weight_only.expand_weight, gradients64.expand_weight);
  });
}

TEST(SqueezeExciteSimt, ForwardAndBackward) {
  for (const SqueezeExciteCase& c : kCases) check_squeeze_excite(c);
}

TEST(SqueezeExciteSimt, EmptyMapsGiveSumsOfNothing) {
  const Tensor none({0, 3, 3, 4}), matrix({0, 4}), reduced({0, 2}), dweight = Tensor::full({4, 2, 1, 1}, 5);
  const SqueezeExciteTensors weights = random_weights(4, 2);
  simt::squeeze_excite_forward(none, {}, weights, Activation::kSigmoid, {matrix, reduced, matrix}, matrix);
  simt::squeeze_excite_backward(none, none, {}, weights, Activation::kSigmoid, {matrix, reduced, matrix}, matrix,
                                {{}, {}, dweight, {}}, none, false);
  EXPECT_EQ(dweight.to_vector(), std::vector<double>(8));
}

}  // namespace
}  // namespace ghost
