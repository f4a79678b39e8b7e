#include "kernels/pyramid_pool.h"

#include <cmath>

#include "tests/support/op_test.h"

namespace ghost {
namespace {

using test::OpCase;
using test::random_tensor;

std::vector<double> plain_pyramid(const std::vector<Tensor>& x, const std::vector<int>& sizes) {
  const std::vector<double> values = x[0].to_vector();
  const int64_t n = x[0].dim(0), h = x[0].dim(1), w = x[0].dim(2), c = x[0].dim(3);
  const auto at = [&](int64_t i, int64_t r, int64_t s, int64_t k) {
    return values[static_cast<size_t>(((i * h + r) * w + s) * c + k)];
  };
  std::vector<double> y;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t r = 0; r < h; ++r)
      for (int64_t s = 0; s < w; ++s) {
        for (const int size : sizes)
          for (int64_t k = 0; k < c; ++k) {
            double best = -INFINITY;
            for (int64_t a = r - size / 2; a <= r + size / 2; ++a)
              for (int64_t b = s - size / 2; b <= s + size / 2; ++b)
                if (a >= 0 && b >= 0 && a < h && b < w) best = std::max(best, at(i, a, b, k));
            y.push_back(best);
          }
        for (int64_t k = 0; k < c; ++k) y.push_back(at(i, r, s, k));
      }
  return y;
}

std::vector<OpCase> pyramid_pool_cases() {
  std::vector<OpCase> cases;
  const std::vector<int> sizes{13, 5, 3};
  for (const Shape& shape :
       {Shape{2, 3, 4, 5}, Shape{1, 1, 1, 1}, Shape{0, 3, 3, 4}, Shape{1, 9, 6, 3}, Shape{1, 3, 2, 67}})
    for (const bool pitched : {false, true})
      cases.push_back({.name = str("n", shape[0], "_h", shape[1], "_c", shape[3], pitched ? "_pitched" : ""),
                       .inputs = {{.shape = shape, .pitched = pitched}},
                       .op = [sizes](const Variables& x) { return pyramid_pool(x[0], sizes); },
                       .reference = [sizes](const std::vector<Tensor>& x) { return plain_pyramid(x, sizes); }});
  return cases;
}
GHOST_OP_TESTS(PyramidPool, pyramid_pool_cases());

TEST(PyramidPoolPlaces, EqualMaximaGoToTheFirstInRowOrder) {
  const Variable x(Tensor::full({1, 3, 3, 1}, 2.0), true);
  TapeScope tape;
  const Variable y = pyramid_pool(x, {3});
  Tensor dy = Tensor::zeros({1, 3, 3, 2});
  dy.channels(0, 1).fill(1);
  tape.tape().backward(y, dy);
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{4, 2, 0, 2, 1, 0, 0, 0, 0}));
}

TEST(PyramidPoolPlaces, ANanIsNotLost) {
  Tensor x = Tensor::zeros({1, 4, 4, 1});
  x.data<float>()[5] = std::nanf("");
  const std::vector<double> y = pyramid_pool(Variable(x), {3}).value().to_vector();
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_FALSE(std::isnan(y[2 * 15]));
}

TEST(PyramidPoolPlaces, SameBitsForAnyThreads) {
  const Variable x(random_tensor({2, 13, 13, 130}, {}, 1));
  test::expect_same_for_any_threads([&] { return std::vector<Tensor>{pyramid_pool(x, {13, 9, 5}).value()}; });
}

TEST(PyramidPoolPlaces, RefusesEvenWindows) {
  test::expect_error(ErrorKind::kUsage, "must be odd", [] { pyramid_pool(Variable(Tensor({1, 2, 2, 1})), {4}); });
}

}  // namespace
}  // namespace ghost
