#include <gtest/gtest.h>

#include "kernels/add.h"
#include "kernels/feature.h"
#include "tests/simt/feature_inputs.h"

namespace ghost {
namespace {

void check_epilogue(const simt::MapCase& map, const simt::EpilogueCase& options, uint64_t seed) {
  const simt::Surrounded z = simt::random_map(
      map.shape, {.seed = seed, .before = map.pitch.before, .after = map.pitch.after, .low = -2, .high = 2});
  const Epilogue epilogue = simt::random_epilogue(map.shape, options, seed);
  const Tensor expected = simt::empty_double(map.shape);
  cpu::epilogue_forward(simt::to_double(z), simt::to_double(epilogue), expected);
  simt::for_each_order([&] {
    const simt::Surrounded y = simt::empty_map(map.shape, {.before = map.pitch.after, .after = map.pitch.before});
    simt::epilogue_forward(z, epilogue, y);
    simt::expect_close({"epilogue", str(options, ", ", describe(map)), seed}, y, expected, simt::kLimit);
  });
}

TEST(FeatureSimt, EpilogueOfEveryActivation) {
  for (const Activation activation : test::kActivations)
    for (const bool gated : {false, true}) check_epilogue(simt::kMaps[0], {true, activation, gated}, 7);
}

TEST(FeatureSimt, EpilogueOfEveryMap) {
  for (const simt::MapCase& map : simt::kMaps) {
    check_epilogue(map, {true, Activation::kRelu, true}, 3);
    check_epilogue(map, {false, Activation::kSwish, false}, 4);
    check_epilogue(map, {false, Activation::kNone, true}, 5);
  }
}

// As in activation_functors.h: relu(-inf) is 0, not 0 * infinity, and NaN passes, so that it is seen.
TEST(FeatureSimt, EpilogueOfInfinities) {
  const float inf = HUGE_VALF;
  const Tensor z = Tensor::from<float>({-inf, inf, std::nanf(""), -1}, {1, 1, 1, 4});
  for (const Activation activation :
       {Activation::kNone, Activation::kRelu, Activation::kRelu6, Activation::kLeakyRelu}) {
    Epilogue epilogue;
    epilogue.activation = activation;
    const Tensor y({1, 1, 1, 4}), expected({1, 1, 1, 4});
    simt::epilogue_forward(z, epilogue, y);
    visit_activation(activation, [&]<class Act>(Act) {
      for (int i = 0; i < 4; ++i) expected.data<float>()[i] = Act::value(z.data<float>()[i]);
    });
    for (int i = 0; i < 4; ++i) {
      const float got = y.data<float>()[i], want = expected.data<float>()[i];
      EXPECT_TRUE(got == want || (std::isnan(got) && std::isnan(want)))
          << simt::name_of(activation) << " of " << z.data<float>()[i] << " is " << got;
    }
  }
}

void check_gradient(const simt::MapCase& map, const simt::GradientCase& options, uint64_t seed) {
  const RawGradient gradient = simt::random_gradient(map.shape, options, map.pitch, seed);
  const Tensor expected = simt::empty_double(map.shape);
  cpu::raw_gradient(simt::to_double(gradient), expected);
  const simt::What what{"raw_gradient", str(options, ", ", describe(map)), seed};
  simt::for_each_order([&] {
    const simt::Surrounded dz = simt::empty_map(map.shape, {.before = map.pitch.before});
    simt::raw_gradient(gradient, dz);
    simt::expect_close(what, dz, expected, simt::kLimit);

    const simt::Surrounded in_place = simt::copy_map(gradient.dy, map.pitch.before);
    RawGradient same = gradient;
    same.dy = in_place;
    simt::raw_gradient(same, in_place);
    simt::expect_close(what, in_place, expected, simt::kLimit);
  });
}

TEST(FeatureSimt, RawGradientOfEveryActivation) {
  for (const Activation activation : test::kActivations)
    for (const bool coefficients : {false, true}) check_gradient(simt::kMaps[0], {{true, activation}, coefficients}, 8);
}

TEST(FeatureSimt, RawGradientOfEveryMap) {
  for (const simt::MapCase& map : simt::kMaps) {
    check_gradient(map, {{true, Activation::kRelu}, true}, 3);
    check_gradient(map, {{false, Activation::kNone}, true}, 4);
    check_gradient(map, {}, 5);
  }
}

void check_add(const simt::MapCase& map, const simt::EpilogueCase& of_a, const simt::EpilogueCase& of_b,
               uint64_t seed) {
  const simt::Surrounded a = simt::random_map(map.shape, {.seed = seed, .before = map.pitch.before});
  const simt::Surrounded b = simt::random_map(map.shape, {.seed = seed + 1, .after = map.pitch.after});
  const Epilogue a_epilogue = simt::random_epilogue(map.shape, of_a, seed);
  const Epilogue b_epilogue = simt::random_epilogue(map.shape, of_b, seed + 9);
  const Tensor expected = simt::empty_double(map.shape);
  cpu::add_forward(simt::to_double(a), simt::to_double(a_epilogue), simt::to_double(b), simt::to_double(b_epilogue),
                   expected);
  simt::for_each_order([&] {
    const simt::Surrounded y = simt::empty_map(map.shape, {.before = map.pitch.before, .after = map.pitch.after});
    simt::add_forward(a, a_epilogue, b, b_epilogue, y);
    simt::expect_close({"add", str(of_a, " + ", of_b, ", ", describe(map)), seed}, y, expected, simt::kLimit);
  });
}

TEST(FeatureSimt, Add) {
  for (const simt::MapCase& map : simt::kMaps) {
    check_add(map, {}, {}, 1);
    check_add(map, {true, Activation::kRelu}, {true, Activation::kNone, true}, 2);
    check_add(map, {true, Activation::kHardSwish, true}, {}, 3);
    check_add(map, {true, Activation::kNone}, {true, Activation::kMish, true}, 4);
    check_add(map, {true, Activation::kSwish}, {false, Activation::kSigmoid}, 5);
  }
}

TEST(FeatureSimt, EmptyMapsStartNothing) {
  const Tensor empty({0, 3, 3, 8});
  simt::epilogue_forward(empty, {}, empty);
  simt::raw_gradient({empty, empty, {}, {}}, empty);
  simt::add_forward(empty, {}, empty, {}, empty);
}

TEST(FeatureSimt, OtherDtypesAreRefused) {
  const Tensor x = simt::empty_double({1, 1, 1, 4});
  EXPECT_THROW(simt::epilogue_forward(x, {}, x), Error);
  EXPECT_THROW(simt::raw_gradient({x, x, {}, {}}, x), Error);
  EXPECT_THROW(simt::add_forward(x, {}, x, {}, x), Error);
}

}  // namespace
}  // namespace ghost
