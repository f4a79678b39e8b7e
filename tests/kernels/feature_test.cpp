#include "kernels/feature.h"

#include <cmath>

#include "kernels/activation.h"
#include "tests/support/op_test.h"

namespace ghost {
namespace {

using test::GuardedTensor;
using test::OpCase;
using test::random_tensor;

// act and act' in the plainest form, written from the definitions and not from the functors.
double plain_activation(Activation activation, double x) {
  switch (activation) {
    case Activation::kNone: return x;
    case Activation::kRelu: return std::fmax(x, 0);
    case Activation::kRelu6: return std::fmin(std::fmax(x, 0), 6);
    case Activation::kLeakyRelu: return x < 0 ? x / 10 : x;
    case Activation::kSigmoid: return 0.5 + 0.5 * std::tanh(x / 2);
    case Activation::kHardSigmoid: return std::fmin(std::fmax(x + 3, 0), 6) / 6;
    case Activation::kHardSigmoidKeras: return std::fmin(std::fmax(x / 5 + 0.5, 0), 1);
    case Activation::kHardSwish: return x * std::fmin(std::fmax(x + 3, 0), 6) / 6;
    case Activation::kSwish: return x * (0.5 + 0.5 * std::tanh(x / 2));
    case Activation::kMish: return x * std::tanh(std::log1p(std::exp(x)));
  }
  return NAN;
}

constexpr const char* kNames[] = {
    "none",       "relu",  "relu6", "leaky_relu", "sigmoid", "hard_sigmoid", "hard_sigmoid_keras",
    "hard_swish", "swish", "mish"};

double derivative(Activation activation, double x) {
  const double step = 1e-6;
  return (plain_activation(activation, x + step) - plain_activation(activation, x - step)) / (2 * step);
}

struct MapCase {
  Shape shape;
  bool scaled, gated, pitched;
};
const MapCase kMaps[] = {
    {{2, 3, 3, 5}, true, false, false},   {{2, 3, 3, 5}, true, true, true},    {{3, 1, 1, 1}, true, false, false},
    {{1, 7, 5, 16}, true, false, true},   {{2, 5, 7, 24}, true, false, false}, {{2, 2, 2, 67}, false, true, false},
    {{1, 40, 40, 72}, true, true, false}, {{0, 4, 4, 8}, true, true, false},   {{2, 3, 3, 33}, false, false, true},
    {{4, 31, 17, 8}, true, false, false},
};

Epilogue random_epilogue(const Shape& shape, bool scaled, bool gated, Activation activation,
                         const TensorOptions& options) {
  const int64_t n = shape[0], c = shape[3];
  Epilogue epilogue;
  epilogue.activation = activation;
  if (scaled) {
    epilogue.scale = random_tensor({c}, options, 11, 0.5, 2);
    epilogue.shift = random_tensor({c}, options, 12);
  }
  if (gated) epilogue.gate = random_tensor({n, c}, options, 13);
  return epilogue;
}

// act(scale * z + shift) * gate, element by element; `gradient`: what RawGradient says instead.
std::vector<double> plain_epilogue(const Tensor& z, const Epilogue& epilogue) {
  std::vector<double> y = z.to_vector();
  const int64_t c = z.channels(), image = z.dim(1) * z.dim(2);
  const auto at = [](const Tensor& tensor, int64_t i) { return tensor.to_vector()[static_cast<size_t>(i)]; };
  std::vector<double> scale(static_cast<size_t>(c), 1), shift(static_cast<size_t>(c), 0), gate;
  for (int64_t k = 0; k < c && epilogue.scale.defined(); ++k)
    scale[static_cast<size_t>(k)] = at(epilogue.scale, k), shift[static_cast<size_t>(k)] = at(epilogue.shift, k);
  if (epilogue.gate.defined()) gate = epilogue.gate.to_vector();
  for (int64_t i = 0; i < z.numel(); ++i) {
    const size_t k = static_cast<size_t>(i % c);
    double& value = y[static_cast<size_t>(i)];
    value = plain_activation(epilogue.activation, scale[k] * value + shift[k]);
    if (!gate.empty()) value *= gate[static_cast<size_t>(i / c / image * c) + k];
  }
  return y;
}

template <class T>
void check_epilogue(const MapCase& map, Activation activation, double limit) {
  const TensorOptions options{dtype_of<T>, Device::cpu()};
  const Tensor values = random_tensor(map.shape, options, 1, -4, 7);
  const GuardedTensor z(values), guarded_y(map.shape, options);
  const Epilogue epilogue = random_epilogue(map.shape, map.scaled, map.gated, activation, options);
  const Tensor y = map.pitched ? guarded_y.view() : Tensor(map.shape, options);
  cpu::epilogue_forward(map.pitched ? z.view() : values, epilogue, y);
  test::expect_close(y.to_vector(), plain_epilogue(values, epilogue), limit,
                     str(kNames[static_cast<int>(activation)], ' ', map.shape, map.pitched ? " pitched" : ""));
  guarded_y.expect_guard_untouched("epilogue_forward");
}

TEST(Feature, EpilogueForwardIsTheFormula) {
  for (const Activation activation : test::kActivations)
    for (const MapCase& map : kMaps) {
      check_epilogue<double>(map, activation, 1e-13);
      check_epilogue<float>(map, activation, 2e-6);
    }
}

template <class T>
void check_raw_gradient(const MapCase& map, Activation activation, bool with_coefficients, bool in_place,
                        double limit) {
  const TensorOptions options{dtype_of<T>, Device::cpu()};
  const int64_t c = map.shape[3];
  const Tensor z = random_tensor(map.shape, options, 1, -4, 7), dy = random_tensor(map.shape, options, 2);
  const GuardedTensor pitched_z(z), pitched_dy(dy), pitched_dz(map.shape, options);
  RawGradient gradient{map.pitched ? pitched_dy.view() : dy.clone(),
                       map.pitched ? pitched_z.view() : z,
                       random_epilogue(map.shape, map.scaled, false, activation, options),
                       {}};
  if (with_coefficients) gradient.coefficients = random_tensor({3, c}, options, 3);
  const Tensor dz = in_place ? gradient.dy : map.pitched ? pitched_dz.view() : Tensor(map.shape, options);
  cpu::raw_gradient(gradient, dz);

  std::vector<double> want = dy.to_vector();
  const std::vector<double> zs = z.to_vector();
  const std::vector<double> abd = with_coefficients ? gradient.coefficients.to_vector() : std::vector<double>();
  const std::vector<double> scale = map.scaled ? gradient.epilogue.scale.to_vector() : std::vector<double>(c, 1.0);
  const std::vector<double> shift = map.scaled ? gradient.epilogue.shift.to_vector() : std::vector<double>(c, 0.0);
  for (size_t i = 0; i < want.size(); ++i) {
    const size_t k = i % static_cast<size_t>(c);
    want[i] *= derivative(activation, scale[k] * zs[i] + shift[k]);
    if (with_coefficients)
      want[i] = abd[k] * want[i] + abd[k + static_cast<size_t>(c)] * zs[i] + abd[k + static_cast<size_t>(2 * c)];
  }
  test::expect_close(
      dz.to_vector(), want, limit,
      str("gradient of ", kNames[static_cast<int>(activation)], ' ', map.shape, with_coefficients, in_place));
  pitched_z.expect_guard_untouched("raw_gradient");
  pitched_dy.expect_guard_untouched("raw_gradient");
  pitched_dz.expect_guard_untouched("raw_gradient");
}

TEST(Feature, RawGradientIsTheFormula) {
  for (const Activation activation : test::kActivations)
    for (const MapCase& map : kMaps)
      for (const bool with_coefficients : {false, true})
        for (const bool in_place : {false, true}) {
          if (map.gated) continue;
          check_raw_gradient<double>(map, activation, with_coefficients, in_place, 1e-8);
          check_raw_gradient<float>(map, activation, with_coefficients, in_place, 1e-5);
        }
}

TEST(Feature, SameBitsForAnyThreads) {
  const Shape shape{3, 41, 37, 24};
  const Tensor z = random_tensor(shape, {}, 1), dy = random_tensor(shape, {}, 2);
  const Epilogue epilogue = random_epilogue(shape, true, true, Activation::kRelu, {});
  test::expect_same_for_any_threads([&] {
    const Tensor y(shape), dz(shape);
    cpu::epilogue_forward(z, epilogue, y);
    cpu::raw_gradient(
        {dy, z, random_epilogue(shape, true, false, Activation::kMish, {}), random_tensor({3, 24}, {}, 5)}, dz);
    return std::vector<Tensor>{y, dz};
  });
}

TEST(Feature, MaterializePassesTheGradientThrough) {
  const Variable z(random_tensor({2, 3, 3, 4}, {}, 1), true);
  EXPECT_EQ(materialize(Feature(z)).value().raw_data(), z.value().raw_data());  // identity: nothing is written
  TapeScope tape;
  const Variable y = materialize({z, random_epilogue(z.shape(), true, true, Activation::kRelu, {})});
  const Tensor dy = random_tensor(z.shape(), {}, 2);
  tape.tape().backward(y, dy);
  test::expect_same_bits(z.grad(), dy);
}

TEST(Feature, ChannelsOfAnEpilogueAreViews) {
  const Epilogue whole = random_epilogue({2, 3, 3, 8}, true, true, Activation::kRelu, {});
  const Epilogue part = whole.channels(2, 5);
  const Tensor z = random_tensor({2, 3, 3, 8}, {}, 1), y(z.shape()), part_y({2, 3, 3, 5});
  cpu::epilogue_forward(z, whole, y);
  cpu::epilogue_forward(z.channels(2, 5), part, part_y);
  test::expect_same_bits(part_y, y.channels(2, 5));
  EXPECT_EQ(part.scale.storage(), whole.scale.storage());
}

// y's gradient is compared with differences here; the elements keep away from the activations' kinks.
std::vector<OpCase> activation_cases() {
  std::vector<OpCase> cases;
  for (const Activation activation : test::kActivations)
    for (const Shape& shape : {Shape{2, 3, 3, 5}, Shape{7}, Shape{1, 1, 1, 1}, Shape{3, 130}, Shape{0, 2, 2, 3}})
      cases.push_back({.name = str(kNames[static_cast<int>(activation)], '_', shape.rank(), '_', shape.numel()),
                       .inputs = {{.shape = shape,
                                   .low = -5,
                                   .high = 8,
                                   .pitched = shape.rank() == 4,
                                   .avoid = {-3, -2.5, 0, 2.5, 3, 6}}},
                       .op = [activation](const Variables& x) { return activate(x[0], activation); },
                       .reference =
                           [activation](const std::vector<Tensor>& x) {
                             std::vector<double> y = x[0].to_vector();
                             for (double& value : y) value = plain_activation(activation, value);
                             return y;
                           }});
  return cases;
}
GHOST_OP_TESTS(Activate, activation_cases());

// Far from 0 every activation stays finite, in value and gradient.
TEST(Activate, IsFiniteFarOut) {
  for (const Activation activation : test::kActivations) {
    const Tensor x = Tensor::from(std::vector<float>{-1e4f, -200, -89, -30, 0, 30, 89, 200, 1e4f}, {9});
    const Tensor y({9}), dx({9}), ones = Tensor::full({9}, 1);
    const Epilogue epilogue{.scale = {}, .shift = {}, .activation = activation, .gate = {}};
    cpu::epilogue_forward(x, epilogue, y);
    cpu::raw_gradient({ones, x, epilogue, {}}, dx);
    for (const double value : y.to_vector()) EXPECT_TRUE(std::isfinite(value)) << kNames[static_cast<int>(activation)];
    for (const double value : dx.to_vector()) EXPECT_TRUE(std::isfinite(value)) << kNames[static_cast<int>(activation)];
  }
}

// The gradient of x reaches it through two users; the first one's dy is the second one's too.
TEST(Activate, DoesNotOverwriteASharedGradient) {
  const Variable x(random_tensor({2, 3, 3, 4}, {DType::kFloat64, {}}, 1), true);
  const Variable other(random_tensor({2, 3, 3, 4}, {DType::kFloat64, {}}, 2), true);
  TapeScope tape;
  const Variable shared =
      record("share", {activate(x, Activation::kSwish), other}, x.value(), [](const Tensor& dy, Gradients& grads) {
        grads.share(0, dy);
        grads.share(1, dy);
      });
  const Tensor dy = random_tensor(x.shape(), {DType::kFloat64, {}}, 3), kept = dy.clone();
  tape.tape().backward(shared, dy);
  test::expect_same_bits(other.grad(), kept);
  test::expect_same_bits(dy, kept);
}

}  // namespace
}  // namespace ghost
