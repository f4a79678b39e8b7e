#include "kernels/upsample.h"

#include "tests/support/op_test.h"

namespace ghost {
namespace {

using test::OpCase;
using test::random_tensor;

std::vector<double> plain_upsample(const std::vector<Tensor>& x) {
  const std::vector<double> values = x[0].to_vector();
  const int64_t n = x[0].dim(0), h = x[0].dim(1), w = x[0].dim(2), c = x[0].dim(3);
  std::vector<double> y;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t r = 0; r < 2 * h; ++r)
      for (int64_t s = 0; s < 2 * w; ++s)
        for (int64_t k = 0; k < c; ++k) y.push_back(values[static_cast<size_t>(((i * h + r / 2) * w + s / 2) * c + k)]);
  return y;
}

std::vector<OpCase> upsample_cases() {
  std::vector<OpCase> cases;
  for (const Shape& shape : {Shape{2, 3, 4, 5}, Shape{1, 1, 1, 1}, Shape{0, 3, 3, 4}, Shape{2, 1, 7, 8}})
    for (const bool pitched : {false, true})
      cases.push_back({.name = str("n", shape[0], "_h", shape[1], "_c", shape[3], pitched ? "_pitched" : ""),
                       .inputs = {{.shape = shape, .pitched = pitched}},
                       .op = [](const Variables& x) { return materialize(upsample2x(x[0])); },
                       .reference = plain_upsample});
  return cases;
}
GHOST_OP_TESTS(Upsample, upsample_cases());

TEST(UpsampleSlot, TheEpilogueGoesAlong) {
  const TensorOptions options{DType::kFloat64, {}};
  const Epilogue epilogue{
      random_tensor({6}, options, 1, 0.5, 2), random_tensor({6}, options, 2), Activation::kRelu6, {}};
  const Feature x(Variable(random_tensor({2, 3, 5, 6}, options, 4)), epilogue);
  const Tensor wide({2, 6, 10, 15}, options), numbers({2, 15}, options);
  const FeatureSlot slot{wide.channels(9, 6), numbers.rows(0, 1).reshape({15}).channels(9, 6),
                         numbers.rows(1, 1).reshape({15}).channels(9, 6)};
  const Variable expected = materialize(upsample2x(materialize(x)));
  test::expect_close(materialize(upsample2x(x, &slot)).value(), expected.value(), 1e-14);
  test::expect_close(materialize(upsample2x(x)).value(), expected.value(), 1e-14);
}

}  // namespace
}  // namespace ghost
