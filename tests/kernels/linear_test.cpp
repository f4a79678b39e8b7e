#include "kernels/linear.h"

#include "tests/support/op_test.h"

namespace ghost::test {
namespace {

std::vector<double> reference(const std::vector<Tensor>& x) {
  const std::vector<double> a = x[0].to_vector(), w = x[1].to_vector();
  const std::vector<double> bias = x.size() > 2 ? x[2].to_vector() : std::vector<double>(w.size());
  const size_t rows = static_cast<size_t>(x[0].dim(0)), o = static_cast<size_t>(x[1].dim(0)),
               k = static_cast<size_t>(x[1].dim(1));
  std::vector<double> y;
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < o; ++j) {
      double sum = bias[j];
      for (size_t p = 0; p < k; ++p) sum += a[i * k + p] * w[j * k + p];
      y.push_back(sum);
    }
  }
  return y;
}

Variable op(const Variables& x) { return linear(x[0], x[1], x.size() > 2 ? x[2] : Variable()); }

GHOST_OP_TESTS(
    Linear,
    {{.name = "rows_with_bias", .inputs = {{{5, 7}}, {{4, 7}}, {{4}}}, .op = op, .reference = reference},
     {.name = "without_bias", .inputs = {{{3, 20}}, {{33, 20}}}, .op = op, .reference = reference},
     {.name = "map_of_one_pixel", .inputs = {{{3, 1, 1, 6}}, {{5, 6}}, {{5}}}, .op = op, .reference = reference},
     {.name = "channel_view",
      .inputs = {{.shape = {3, 1, 1, 6}, .pitched = true}, {{5, 6}}, {{5}}},
      .op = op,
      .reference = reference},
     {.name = "one_feature_in", .inputs = {{{3, 1}}, {{4, 1}}, {{4}}}, .op = op, .reference = reference},
     {.name = "one_row_one_feature", .inputs = {{{1, 1}}, {{1, 1}}, {{1}}}, .op = op, .reference = reference},
     {.name = "empty_batch", .inputs = {{{0, 6}}, {{5, 6}}, {{5}}}, .op = op, .reference = reference},
     {.name = "wide", .inputs = {{{2, 40}}, {{150, 40}}, {{150}}}, .op = op, .reference = reference}});

TEST(LinearEpilogue, IsAppliedToTheInput) {
  const TensorOptions options{DType::kFloat64, Device::cpu()};
  const Tensor x = random_tensor({4, 1, 1, 9}, options, 1), w = random_tensor({6, 9}, options, 2);
  Epilogue epilogue;
  epilogue.scale = random_tensor({9}, options, 3);
  epilogue.shift = random_tensor({9}, options, 4);
  epilogue.activation = Activation::kHardSwish;
  epilogue.gate = random_tensor({4, 9}, options, 5);
  const Tensor y(x.shape(), options);
  cpu::epilogue_forward(x, epilogue, y);
  expect_close(linear({Variable(x), epilogue}, Variable(w), {}).value(), linear(Variable(y), Variable(w), {}).value(),
               1e-14);
}

TEST(LinearKernel, AddsToDxAndServesPitchedRows) {
  const TensorOptions options{DType::kFloat32, Device::cpu()};
  const Tensor x = random_tensor({6, 10}, options, 1), w = random_tensor({8, 10}, options, 2);
  const Tensor dy = random_tensor({6, 8}, options, 3), before = random_tensor({6, 10}, options, 4);
  Tensor plain(x.shape(), options);
  cpu::linear_backward(x, w, dy, &plain, false, nullptr, nullptr);
  const Tensor want = before.clone();
  want.add_in_place(plain);
  const GuardedTensor sum(before), pitched_x(x), pitched_dy(dy), y(Tensor::zeros({6, 8}, options));
  Tensor target = sum.view();
  cpu::linear_backward(pitched_x.view(), w, pitched_dy.view(), &target, true, nullptr, nullptr);
  expect_close(sum.view(), want, 1e-6);
  sum.expect_guard_untouched("linear_backward");

  const Tensor dense({6, 8}, options);
  cpu::linear_forward(x, w, {}, dense);
  cpu::linear_forward(pitched_x.view(), w, {}, y.view());
  expect_same_bits(y.view(), dense);
  y.expect_guard_untouched("linear_forward");
}

TEST(LinearKernel, SameBitsForAnyThreads) {
  const TensorOptions options{DType::kFloat32, Device::cpu()};
  const Tensor x = random_tensor({70, 130}, options, 1), w = random_tensor({210, 130}, options, 2);
  const Tensor dy = random_tensor({70, 210}, options, 3), bias = random_tensor({210}, options, 4);
  expect_same_for_any_threads([&]() -> std::vector<Tensor> {
    Tensor y({70, 210}, options), dx(x.shape(), options), dw(w.shape(), options), db({210}, options);
    cpu::linear_forward(x, w, bias, y);
    cpu::linear_backward(x, w, dy, &dx, false, &dw, &db);
    return {y, dx, dw, db};
  });
}

TEST(LinearErrors, SayWhatIsNeeded) {
  const auto make = [](const Shape& shape) { return Variable(Tensor::zeros(shape)); };
  expect_error(ErrorKind::kUsage, "has 6 features, but weight [5, 7] needs 7", [&] {
    linear(make({2, 6}), make({5, 7}), {});
  });
  expect_error(ErrorKind::kUsage, "must be {n, k} or {n, 1, 1, k}", [&] {
    linear(make({2, 2, 1, 7}), make({5, 7}), {});
  });
  expect_error(ErrorKind::kUsage, "bias has shape [4]", [&] { linear(make({2, 7}), make({5, 7}), make({4})); });
}

}  // namespace
}  // namespace ghost::test
