#include "kernels/pool.h"

#include "tests/support/op_test.h"

namespace ghost {
namespace {

using test::OpCase;
using test::random_tensor;

std::vector<double> plain_pool(const std::vector<Tensor>& x) {
  const std::vector<double> values = x[0].to_vector();
  const int64_t n = x[0].dim(0), pixels = x[0].dim(1) * x[0].dim(2), c = x[0].dim(3);
  std::vector<double> y(static_cast<size_t>(n * c));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < c; ++k) {
      double sum = 0;
      for (int64_t p = 0; p < pixels; ++p) sum += values[static_cast<size_t>((i * pixels + p) * c + k)];
      y[static_cast<size_t>(i * c + k)] = sum / static_cast<double>(pixels);
    }
  return y;
}

std::vector<OpCase> pool_cases() {
  std::vector<OpCase> cases;
  for (const Shape& shape :
       {Shape{2, 3, 4, 5}, Shape{1, 1, 1, 1}, Shape{0, 3, 3, 4}, Shape{2, 9, 8, 3}, Shape{1, 7, 7, 35}})
    for (const bool pitched : {false, true})
      cases.push_back({.name = str("n", shape[0], "_h", shape[1], "_c", shape[3], pitched ? "_pitched" : ""),
                       .inputs = {{.shape = shape, .pitched = pitched}},
                       .op = [](const Variables& x) { return global_average_pool(x[0]); },
                       .reference = plain_pool});
  return cases;
}
GHOST_OP_TESTS(GlobalAveragePool, pool_cases());

TEST(Pool, EpilogueOnLoadEqualsMaterialized) {
  for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSwish}) {
    const TensorOptions options{DType::kFloat64, {}};
    const Epilogue epilogue{random_tensor({19}, options, 1, 0.5, 2), random_tensor({19}, options, 2), activation,
                            random_tensor({2, 19}, options, 3)};
    const Feature x(Variable(random_tensor({2, 6, 11, 19}, options, 4)), epilogue);
    test::expect_close(global_average_pool(x).value(), global_average_pool(materialize(x)).value(), 1e-13);
  }
}

TEST(Pool, AddsToAGradientThatIsThere) {
  const test::GuardedTensor dx(random_tensor({2, 3, 5, 7}, {}, 1));
  const Tensor before = dx.view().clone(), dy = random_tensor({2, 1, 1, 7}, {}, 2), alone({2, 3, 5, 7});
  cpu::global_average_pool_backward(dy, alone, false);
  cpu::global_average_pool_backward(dy, dx.view(), true);
  before.add_in_place(alone);
  test::expect_close(dx.view(), before, 1e-6);
  dx.expect_guard_untouched("global_average_pool_backward");
}

// A plain running sum of 112 * 112 float32 values near 1 is off by 1e-5 and more.
TEST(Pool, StaysExactOnLargeMaps) {
  const Tensor x = random_tensor({1, 112, 112, 3}, {}, 1, 0.9, 1.1);
  test::expect_close(global_average_pool(Variable(x)).value().to_vector(), plain_pool({x}), 5e-7);
}

TEST(Pool, SameBitsForAnyThreads) {
  const Variable x(random_tensor({5, 20, 20, 33}, {}, 1));
  test::expect_same_for_any_threads([&] { return std::vector<Tensor>{global_average_pool(x).value()}; });
}

TEST(Pool, RefusesAMapWithoutPixels) {
  test::expect_error(ErrorKind::kUsage, "[2, 0, 3, 4]", [] { global_average_pool(Variable(Tensor({2, 0, 3, 4}))); });
}

}  // namespace
}  // namespace ghost
