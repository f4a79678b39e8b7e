// The op test's own test: it must fail where an op is wrong.
#include <gtest/gtest-spi.h>

#include <cmath>

#include "tests/support/op_test.h"

namespace ghost::test {
namespace {

// y = x^2 with a chosen error in value, gradient, or float32 only.
struct Faults {
  double value = 0, gradient = 0, float32 = 0;
};
OpCase square(const Faults& faults) {
  return {.name = "square",
          .inputs = {{.shape = {3, 5}, .low = 0.5, .high = 2}},
          .op =
              [faults](const Variables& x) {
                const Tensor y = x[0].value().clone();
                visit_float(y.dtype(), [&]<class T>(TypeTag<T>) {
                  const double factor = 1 + faults.value + (dtype_of<T> == DType::kFloat32 ? faults.float32 : 0);
                  for (int64_t i = 0; i < y.numel(); ++i) y.data<T>()[i] *= static_cast<T>(y.data<T>()[i] * factor);
                });
                return record("square", {x[0]}, y, [faults, value = x[0].value()](const Tensor& dy, Gradients& grads) {
                  const Tensor dx = dy.clone();
                  visit_float(dx.dtype(), [&]<class T>(TypeTag<T>) {
                    for (int64_t i = 0; i < dx.numel(); ++i)
                      dx.data<T>()[i] *= static_cast<T>(2 * value.data<T>()[i] * (1 + faults.value + faults.gradient));
                  });
                  grads.set(0, dx);
                });
              },
          .reference =
              [](const std::vector<Tensor>& x) {
                std::vector<double> y = x[0].to_vector();
                for (double& value : y) value *= value;
                return y;
              }};
}

TEST(OpTestItself, PassesARightOp) { check_op(square({})); }
TEST(OpTestItself, SeesAWrongValue) { EXPECT_NONFATAL_FAILURE(check_op(square({.value = 1e-8})), "float64 value"); }
TEST(OpTestItself, SeesAWrongGradient) {
  EXPECT_NONFATAL_FAILURE(check_op(square({.gradient = 1e-5})), "float64 gradient of input 0");
}
TEST(OpTestItself, SeesWrongFloat32) {
  EXPECT_NONFATAL_FAILURE(check_op(square({.float32 = 1e-3})), "float32 against float64, value");
}

TEST(ExpectItself, SeesDifferencesAndWhatIsNotFinite) {
  EXPECT_NONFATAL_FAILURE(expect_close({1, 2, 3.01}, {1, 2, 3}, 1e-3), "element 2");
  EXPECT_NONFATAL_FAILURE(expect_close({1, NAN}, {1, 2}, 1e9), "element 1");
  EXPECT_NONFATAL_FAILURE(expect_close({1, 2}, {NAN, 2}, 1e9), "element 0");
  EXPECT_NONFATAL_FAILURE(expect_close({0, 1e-3}, {0, 0}, 1e-3), "element 1");
  expect_close({1, 1e-12}, {1, 0}, 1e-9);  // cancelled to almost nothing: measured against the others
  EXPECT_NONFATAL_FAILURE(expect_same_bits(Tensor::full({2}, -0.0), Tensor::full({2}, 0.0)), "to the bit");
  EXPECT_NONFATAL_FAILURE(expect_error(ErrorKind::kData, "x", [] {}), "no error");
  EXPECT_NONFATAL_FAILURE(expect_error(ErrorKind::kData, "x", [] { GHOST_FAIL(kUsage, "x"); }), "x");
  EXPECT_NONFATAL_FAILURE(expect_error(ErrorKind::kData, "abc", [] { GHOST_FAIL(kData, "x"); }), "abc");
}

TEST(GuardedTensorItself, SeesStraysOnBothSides) {
  for (const int64_t channel : {-1, 4}) {
    static const GuardedTensor* guarded;  // the macro below allows no locals
    const GuardedTensor tensor({2, 1, 2, 4}, {}, 2, 2);
    guarded = &tensor;
    tensor.view().data<float>()[tensor.view().pitch() + channel] = 1;
    EXPECT_FATAL_FAILURE(guarded->expect_guard_untouched("the op"), "pixel 1");
  }
}

}  // namespace
}  // namespace ghost::test
