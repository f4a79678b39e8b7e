#include "kernels/dropout.h"

#include "core/random.h"
#include "tests/support/op_test.h"

namespace ghost {
namespace {

using test::OpCase;
using test::random_tensor;

const DropoutOptions kOptions{.p = 0.3, .seed = 7, .stream = 99};

std::vector<double> plain_dropout(const std::vector<Tensor>& x) {
  std::vector<double> y = x[0].to_vector();
  for (size_t i = 0; i < y.size(); ++i) {
    const float u = uniform_from_bits(philox(kOptions.seed, kOptions.stream, i / 4).value[i % 4]);
    y[i] = u >= 0.3 ? y[i] / 0.7 : 0;
  }
  return y;
}

std::vector<OpCase> dropout_cases() {
  std::vector<OpCase> cases;
  for (const Shape& shape : {Shape{3, 5}, Shape{1}, Shape{0, 4}, Shape{2, 3, 3, 7}})
    cases.push_back({.name = str("rank", shape.rank(), "_numel", shape.numel()),
                     .inputs = {{.shape = shape}},
                     .op = [](const Variables& x) { return dropout(x[0], kOptions); },
                     .reference = plain_dropout});
  return cases;
}
GHOST_OP_TESTS(DropoutOp, dropout_cases());

TEST(Dropout, KeepsTheShareAndTheMean) {
  const Variable x(Tensor::full({1000, 100}, 1));
  double kept = 0, sum = 0;
  for (const double value : dropout(x, {.p = 0.2, .seed = 1, .stream = 2}).value().to_vector())
    kept += value != 0, sum += value;
  EXPECT_NEAR(kept / 1e5, 0.8, 0.005);  // 4 standard deviations
  EXPECT_NEAR(sum / 1e5, 1, 0.007);
}

TEST(Dropout, OtherStreamsGiveOtherMasks) {
  const Variable x(Tensor::full({64}, 1));
  EXPECT_NE(dropout(x, {.p = 0.5, .seed = 1, .stream = 2}).value().to_vector(),
            dropout(x, {.p = 0.5, .seed = 1, .stream = 3}).value().to_vector());
}

TEST(Dropout, SameBitsForAnyThreads) {
  const Variable x(random_tensor({333, 301}, {}, 1));
  test::expect_same_for_any_threads([&] { return std::vector<Tensor>{dropout(x, kOptions).value()}; });
}

TEST(Dropout, ChecksItsArguments) {
  const Variable x(Tensor::zeros({4}));
  EXPECT_EQ(dropout(x, {.p = 0}).value().raw_data(), x.value().raw_data());
  test::expect_error(ErrorKind::kUsage, "p is 1", [&] { dropout(x, {.p = 1}); });
  test::expect_error(ErrorKind::kUsage, "p is -0.5", [&] { dropout(x, {.p = -0.5}); });
  const Variable view(Tensor::zeros({3, 4}).channels(0, 2));
  test::expect_error(ErrorKind::kUsage, "channel view", [&] { dropout(view, {}); });
}

}  // namespace
}  // namespace ghost
