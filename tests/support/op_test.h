// The test of an operation: value against an independent reference, gradient against finite differences, float32
// against float64, CUDA against the CPU. One row of a table is one test on the CPU, all rows together one on CUDA:
//
//   GHOST_OP_TESTS(Pool, {{.name = "one_pixel",
//                          .inputs = {{.shape = {2, 1, 1, 3}, .pitched = true}},
//                          .op = [](const Variables& x) { return global_average_pool(x[0]); },
//                          .reference = [](const std::vector<Tensor>& x) { ... }}});
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/tape.h"
#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"

namespace ghost::test {

struct OpInput {
  Shape shape;
  double low = -1, high = 1;
  bool requires_grad = true;
  bool pitched = false;  // given as a channel view of a wider buffer, whose other channels must stay untouched
  std::vector<double> avoid = {};  // values that no element comes near: kinks of the op
};

struct OpCase {
  std::string name;
  std::vector<OpInput> inputs;
  // Must serve float64, float32 and both devices: make further tensors with x[0].value().options().
  std::function<Variable(const Variables& x)> op;
  // The output's elements in row order, from float64 inputs on the CPU, by slow and plain code. Empty: no reference.
  std::function<std::vector<double>(const std::vector<Tensor>& x)> reference = nullptr;
  double float32_limit = 1e-5;           // error of float32 values, see worst_difference()
  double float32_gradient_limit = 1e-4;  // of float32 gradients against float64's
  double cuda_limit = 1e-4;              // of both on CUDA
  bool gradient = true;                  // false: the op is not differentiable here
  uint64_t seed = 1;
};

inline std::ostream& operator<<(std::ostream& out, const OpCase& op_case) { return out << op_case.name; }

// On the CPU: float64 value against the reference (1e-10) and gradient of a random linear functional of the output
// against central differences (1e-6); float32 value and gradient against float64's.
void check_op(const OpCase& op_case);
// On CUDA: float32 value and gradient of every case against float64 on the CPU. Skips the test, saying why, where CUDA
// is not usable.
void check_ops_on_cuda(const std::vector<OpCase>& cases);

class OpTest : public testing::TestWithParam<OpCase> {};
std::string op_test_name(const testing::TestParamInfo<OpCase>& info);

}  // namespace ghost::test

// Variadic, so that a braced table can be written in place.
#define GHOST_OP_TESTS(suite, ...)                                                                     \
  std::vector<::ghost::test::OpCase> suite##Table() { return __VA_ARGS__; }                            \
  class suite : public ::ghost::test::OpTest {};                                                       \
  TEST_P(suite, OnCpu) { ::ghost::test::check_op(GetParam()); }                                        \
  INSTANTIATE_TEST_SUITE_P(Op, suite, testing::ValuesIn(suite##Table()), ::ghost::test::op_test_name); \
  TEST(suite##OnCuda, AllCases) { ::ghost::test::check_ops_on_cuda(suite##Table()); }                  \
  static_assert(true)  // takes the semicolon
