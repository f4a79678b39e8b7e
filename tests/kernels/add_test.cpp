#include "kernels/add.h"

#include "tests/support/op_test.h"

namespace ghost {
namespace {

using test::OpCase;
using test::random_tensor;

Epilogue epilogue_of(const Shape& shape, const TensorOptions& options, Activation activation, bool gated,
                     uint64_t seed) {
  Epilogue epilogue{
      random_tensor({shape[3]}, options, seed, 0.5, 2), random_tensor({shape[3]}, options, seed + 1), activation, {}};
  if (gated) epilogue.gate = random_tensor({shape[0], shape[3]}, options, seed + 2);
  return epilogue;
}

// The gradient that add hands to `raw` is that of the materialised map (kernels/feature.h), so differences are taken
// through plain maps and the epilogue's chain is tested by value.
std::vector<OpCase> plain_cases() {
  std::vector<OpCase> cases;
  for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{1, 1, 1, 1}, Shape{0, 3, 3, 4}, Shape{1, 5, 7, 33}})
    for (const bool pitched : {false, true})
      cases.push_back({.name = str("plain_", shape.numel(), pitched ? "_pitched" : ""),
                       .inputs = {{.shape = shape, .pitched = pitched}, {.shape = shape, .pitched = pitched}},
                       .op = [](const Variables& x) { return add(x[0], x[1]); },
                       .reference =
                           [](const std::vector<Tensor>& x) {
                             std::vector<double> y = x[0].to_vector();
                             const std::vector<double> b = x[1].to_vector();
                             for (size_t i = 0; i < y.size(); ++i) y[i] += b[i];
                             return y;
                           }});
  return cases;
}
GHOST_OP_TESTS(AddPlain, plain_cases());

template <class T>
void check_against_materialized(const Shape& shape, Activation a_act, bool a_gate, Activation b_act, bool b_gate,
                                double limit) {
  const TensorOptions options{dtype_of<T>, {}};
  const test::GuardedTensor a(random_tensor(shape, options, 1)), b(random_tensor(shape, options, 2));
  for (const bool dense : {false, true}) {
    const Feature left(Variable(dense ? a.view().clone() : a.view()), epilogue_of(shape, options, a_act, a_gate, 3));
    const Feature right(Variable(dense ? b.view().clone() : b.view()), epilogue_of(shape, options, b_act, b_gate, 7));
    const Tensor want = materialize(left).value().clone();
    want.add_in_place(materialize(right).value());
    test::expect_close(add(left, right).value(), want, limit, str(shape, " dense ", dense));
  }
  a.expect_guard_untouched("add");
  b.expect_guard_untouched("add");
}

TEST(Add, EpiloguesOnLoadEqualMaterialized) {
  for (const Shape& shape : {Shape{2, 9, 5, 16}, Shape{3, 4, 4, 7}, Shape{2, 3, 3, 70}})
    for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kHardSwish})
      for (const bool gated : {false, true}) {
        check_against_materialized<float>(shape, Activation::kNone, false, activation, gated, 1e-6);
        check_against_materialized<double>(shape, activation, gated, Activation::kNone, false, 1e-14);
        check_against_materialized<double>(shape, activation, gated, Activation::kRelu, true, 1e-14);
      }
}

TEST(Add, ToItselfGivesTwiceTheGradient) {
  const Variable x(random_tensor({2, 3, 3, 4}, {}, 1), true);
  TapeScope tape;
  const Variable y = add(x, x);
  const Tensor dy = random_tensor(x.shape(), {}, 2), kept = dy.clone();
  tape.tape().backward(y, dy);
  std::vector<double> twice = kept.to_vector();
  for (double& value : twice) value *= 2;
  test::expect_close(x.grad().to_vector(), twice, 0);
  test::expect_same_bits(dy, kept);
}

TEST(Add, RefusesOtherShapes) {
  const Variable a(Tensor::zeros({1, 2, 2, 3})), b(Tensor::zeros({1, 2, 2, 4}));
  test::expect_error(ErrorKind::kUsage, "[1, 2, 2, 4]", [&] { add(a, b); });
}

TEST(Add, SameBitsForAnyThreads) {
  const Shape shape{2, 57, 43, 24};
  const Feature a(Variable(random_tensor(shape, {}, 1)), epilogue_of(shape, {}, Activation::kNone, false, 3));
  const Feature b(Variable(random_tensor(shape, {}, 2)), epilogue_of(shape, {}, Activation::kRelu, true, 7));
  test::expect_same_for_any_threads([&] { return std::vector<Tensor>{add(a, b).value()}; });
}

}  // namespace
}  // namespace ghost
