#include "kernels/squeeze_excite.h"

#include <cmath>

#include "tests/support/op_test.h"

namespace ghost {
namespace {

using test::OpCase;
using test::random_tensor;

double gate_of(Activation activation, double e) {
  if (activation == Activation::kSigmoid) return 1 / (1 + std::exp(-e));
  return activation == Activation::kHardSigmoid ? std::fmin(std::fmax(e + 3, 0), 6) / 6
                                                : std::fmin(std::fmax(0.2 * e + 0.5, 0), 1);
}

// x, reduce_weight, reduce_bias, expand_weight, expand_bias -> x * gate, by plain loops.
std::vector<double> plain_squeeze_excite(const std::vector<Tensor>& x, Activation activation) {
  const int64_t n = x[0].dim(0), pixels = x[0].dim(1) * x[0].dim(2), c = x[0].dim(3), r = x[1].dim(0);
  std::vector<double> y = x[0].to_vector();
  const std::vector<double> w1 = x[1].to_vector(), b1 = x[2].to_vector(), w2 = x[3].to_vector(), b2 = x[4].to_vector();
  for (int64_t i = 0; i < n; ++i) {
    double* const map = y.data() + i * pixels * c;
    std::vector<double> hidden(b1), gate(b2);
    for (int64_t j = 0; j < r; ++j) {
      for (int64_t p = 0; p < pixels; ++p)
        for (int64_t k = 0; k < c; ++k)
          hidden[static_cast<size_t>(j)] += map[p * c + k] * w1[j * c + k] / static_cast<double>(pixels);
      hidden[static_cast<size_t>(j)] = std::fmax(hidden[static_cast<size_t>(j)], 0);
    }
    for (int64_t k = 0; k < c; ++k) {
      for (int64_t j = 0; j < r; ++j) gate[static_cast<size_t>(k)] += hidden[static_cast<size_t>(j)] * w2[k * r + j];
      for (int64_t p = 0; p < pixels; ++p) map[p * c + k] *= gate_of(activation, gate[static_cast<size_t>(k)]);
    }
  }
  return y;
}

// A map's own gradient arrives as that of the gated map, so the result is materialised as its last step.
Variable gated_map(const Variables& x, Activation activation) {
  return materialize(squeeze_excite(x[0], {x[1], x[2], x[3], x[4]}, activation));
}

OpCase se_case(const Shape& shape, int64_t r, Activation activation, bool pitched, const std::string& name) {
  const int64_t c = shape[3];
  return {.name = name,
          .inputs = {{.shape = shape, .low = -1, .high = 2, .pitched = pitched},
                     {.shape = {r, c, 1, 1}},
                     {.shape = {r}},
                     {.shape = {c, r, 1, 1}},
                     {.shape = {c}}},
          .op = [activation](const Variables& x) { return gated_map(x, activation); },
          .reference = [activation](const std::vector<Tensor>& x) { return plain_squeeze_excite(x, activation); }};
}

std::vector<OpCase> squeeze_excite_cases() {
  std::vector<OpCase> cases{
      se_case({2, 3, 4, 8}, 2, Activation::kHardSigmoid, false, "torch"),
      se_case({2, 3, 4, 8}, 2, Activation::kHardSigmoidKeras, true, "keras_pitched"),
      se_case({3, 1, 1, 5}, 3, Activation::kSigmoid, false, "one_pixel"),
      se_case({1, 5, 7, 21}, 1, Activation::kSigmoid, true, "odd_pitched"),
      se_case({0, 3, 3, 4}, 2, Activation::kSigmoid, false, "empty_batch"),
      se_case({19, 2, 1, 3}, 2, Activation::kSigmoid, false, "two_blocks_of_rows"),
  };
  OpCase frozen = se_case({2, 2, 3, 6}, 2, Activation::kSigmoid, false, "frozen_weights");
  for (int i : {1, 2, 3, 4}) frozen.inputs[static_cast<size_t>(i)].requires_grad = false;
  OpCase only_weights = se_case({2, 2, 3, 6}, 2, Activation::kSigmoid, false, "only_weights");
  only_weights.inputs[0].requires_grad = false;
  cases.push_back(frozen);
  cases.push_back(only_weights);
  return cases;
}
GHOST_OP_TESTS(SqueezeExciteOp, squeeze_excite_cases());

struct Problem {
  Feature x;
  SqueezeExciteWeights weights;
};
Problem random_problem(const Shape& shape, int64_t r, const TensorOptions& options) {
  const int64_t c = shape[3];
  const auto variable = [&](const Shape& s, uint64_t seed) { return Variable(random_tensor(s, options, seed), true); };
  return {{variable(shape, 1),
           {random_tensor({c}, options, 2, 0.5, 2), random_tensor({c}, options, 3), Activation::kRelu, {}}},
          {variable({r, c, 1, 1}, 4), variable({r}, 5), variable({c, r, 1, 1}, 6), variable({c}, 7)}};
}

// Output and gradients; `materialized`: with x's epilogue applied beforehand.
std::vector<Tensor> run(const Problem& problem, bool materialized, const Tensor& dy) {
  TapeScope tape;
  const SqueezeExciteWeights& w = problem.weights;
  const Feature x = materialized ? Feature(materialize(problem.x)) : problem.x;
  const Variable y = materialize(squeeze_excite(x, w, Activation::kHardSigmoid));
  tape.tape().backward(y, dy);
  std::vector<Tensor> results{
      y.value(),           problem.x.raw.grad(), w.reduce_weight.grad(), w.reduce_bias.grad(), w.expand_weight.grad(),
      w.expand_bias.grad()};
  for (Variable v : {problem.x.raw, w.reduce_weight, w.reduce_bias, w.expand_weight, w.expand_bias}) v.clear_grad();
  return results;
}

// Applied on load or to the materialised map: the same, also for the gradient handed on, which is that of the map.
TEST(SqueezeExcite, EpilogueOnLoadEqualsMaterialized) {
  const TensorOptions options{DType::kFloat64, {}};
  const Problem problem = random_problem({2, 5, 4, 11}, 3, options);
  const Tensor dy = random_tensor({2, 5, 4, 11}, options, 8);
  const std::vector<Tensor> fused = run(problem, false, dy), plain = run(problem, true, dy);
  for (size_t i = 0; i < fused.size(); ++i) test::expect_close(fused[i], plain[i], 1e-12, str("result ", i));
}

TEST(SqueezeExcite, BackwardInPlaceAndAccumulating) {
  const Shape shape{2, 3, 5, 9};
  const Problem p = random_problem(shape, 2, {});
  const SqueezeExciteTensors weights{p.weights.reduce_weight.value(), p.weights.reduce_bias.value(),
                                     p.weights.expand_weight.value(), p.weights.expand_bias.value()};
  const SqueezeExciteSaved saved{Tensor({2, 9}), Tensor({2, 2}), Tensor({2, 9})};
  const Tensor gate({2, 9}), z = p.x.raw.value(), dy = random_tensor(shape, {}, 8), dx(shape);
  cpu::squeeze_excite_forward(z, p.x.epilogue, weights, Activation::kSigmoid, saved, gate);
  const auto backward = [&](const Tensor& from, const Tensor& into, bool accumulate) {
    cpu::squeeze_excite_backward(from, z, p.x.epilogue, weights, Activation::kSigmoid, saved, gate, {}, into,
                                 accumulate);
  };
  backward(dy, dx, false);
  const test::GuardedTensor in_place(dy), sum(random_tensor(shape, {}, 9));
  const Tensor before = sum.view().clone();
  backward(in_place.view(), in_place.view(), false);
  test::expect_close(in_place.view(), dx, 1e-6);
  backward(dy, sum.view(), true);
  before.add_in_place(dx);
  test::expect_close(sum.view(), before, 1e-6);
  in_place.expect_guard_untouched("squeeze_excite_backward");
  sum.expect_guard_untouched("squeeze_excite_backward");
}

TEST(SqueezeExcite, SameBitsForAnyThreads) {
  const Shape shape{37, 7, 7, 72};
  const Problem problem = random_problem(shape, 20, {});
  const Tensor dy = random_tensor(shape, {}, 8);
  test::expect_same_for_any_threads([&] { return run(problem, false, dy); });
}

TEST(SqueezeExcite, WritesNothingOfTheMapsSize) {
  const Problem problem = random_problem({2, 5, 4, 11}, 3, {});
  const Feature y = squeeze_excite(problem.x, problem.weights, Activation::kHardSigmoid);
  EXPECT_EQ(y.raw.value().raw_data(), problem.x.raw.value().raw_data());
  EXPECT_EQ(y.epilogue.scale.raw_data(), problem.x.epilogue.scale.raw_data());
}

TEST(SqueezeExcite, RefusesWrongWeights) {
  Problem problem = random_problem({2, 5, 4, 11}, 3, {});
  problem.weights.expand_weight = Variable(Tensor::zeros({11, 4, 1, 1}));
  test::expect_error(ErrorKind::kUsage, "expand_weight",
                     [&] { squeeze_excite(problem.x, problem.weights, Activation::kSigmoid); });
}

}  // namespace
}  // namespace ghost
