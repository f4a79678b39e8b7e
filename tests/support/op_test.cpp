#include "tests/support/op_test.h"

#include <cctype>

namespace ghost::test {
namespace {

constexpr double kReferenceLimit = 1e-10, kGradientLimit = 1e-6;

struct Result {
  std::vector<double> value;
  std::vector<std::vector<double>> gradients;  // one per input; empty where none is asked
};

std::vector<Tensor> draw_inputs(const OpCase& op_case) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < op_case.inputs.size(); ++i) {
    const OpInput& input = op_case.inputs[i];
    inputs.push_back(random_tensor(input.shape, {DType::kFloat64, Device::cpu()}, op_case.seed * 1000 + i, input.low,
                                   input.high, input.avoid));
  }
  return inputs;
}

// The weights of the linear functional that makes one number of the output.
Tensor functional_weights(const Shape& shape, const OpCase& op_case, const TensorOptions& options) {
  return random_tensor(shape, options, op_case.seed * 1000 + 999);
}

std::vector<double> value_of(const OpCase& op_case, const std::vector<Tensor>& inputs) {
  Variables variables;
  for (const Tensor& input : inputs) variables.emplace_back(input);
  const NoGradScope no_grad;
  return op_case.op(variables).value().to_vector();
}

// Forward and, where the case asks, backward in `options`' dtype and device.
Result run(const OpCase& op_case, const std::vector<Tensor>& inputs, const TensorOptions& options) {
  std::vector<GuardedTensor> guarded;
  Variables variables;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Tensor value = inputs[i].to(options.dtype).to(options.device);
    if (op_case.inputs[i].pitched) value = guarded.emplace_back(value).view();
    variables.emplace_back(value, op_case.gradient && op_case.inputs[i].requires_grad);
  }
  Result result;
  TapeScope tape;
  const Variable output = op_case.op(variables);
  result.value = output.value().to_vector();
  if (recording(variables)) {
    const Tensor dy = functional_weights(output.shape(), op_case, options);
    // One node more, so that an op may return its input and gets a dy of its own, which it may overwrite.
    const Variable last = record("functional", {output}, output.value(),
                                 [](const Tensor& weights, Gradients& grads) { grads.set(0, weights.clone()); });
    tape.tape().backward(last, dy);
  }
  for (const Variable& variable : variables) {
    const bool asked = variable.requires_grad() && variable.grad().defined();
    result.gradients.push_back(asked ? variable.grad().to_vector() : std::vector<double>());
  }
  for (const GuardedTensor& tensor : guarded) tensor.expect_guard_untouched("the op or its backward");
  return result;
}

// Central difference of the functional at one element. The step changes both inputs' ends; kinks inside the op may
// spoil one step, so a caller tries several.
double central_difference(const OpCase& op_case, const std::vector<Tensor>& inputs, double* element, double step,
                          const std::vector<double>& weights) {
  const double before = *element;
  *element = before + step;
  const std::vector<double> high = value_of(op_case, inputs);
  *element = before - step;
  const std::vector<double> low = value_of(op_case, inputs);
  *element = before;
  double sum = 0;
  for (size_t i = 0; i < weights.size(); ++i) sum += weights[i] * (high[i] - low[i]);
  return sum / (2 * step);
}

// The difference at the step that agrees best with `claimed`: a right gradient agrees at some step also where another
// one straddles a kink, a wrong one agrees at none.
double best_difference(const OpCase& op_case, const std::vector<Tensor>& inputs, double* element, double claimed,
                       const std::vector<double>& weights) {
  double best = 0, best_error = -1;
  for (const double step : {1e-5, 1e-6, 1e-4, 1e-7}) {
    const double estimate = central_difference(op_case, inputs, element, step, weights);
    const double error = std::abs(estimate - claimed);
    if (best_error < 0 || error < best_error) best = estimate, best_error = error;
    if (error <= 0.1 * kGradientLimit * std::abs(claimed)) break;
  }
  return best;
}

void check_gradient_by_differences(const OpCase& op_case, const std::vector<Tensor>& inputs, const Result& result,
                                   const std::string& what) {
  NoGradScope no_grad;
  Variables variables;
  for (const Tensor& input : inputs) variables.emplace_back(input);
  const Shape shape = op_case.op(variables).shape();
  const std::vector<double> weights = functional_weights(shape, op_case, {DType::kFloat64, Device::cpu()}).to_vector();
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!op_case.inputs[i].requires_grad) continue;
    const std::vector<double>& claimed = result.gradients[i];
    ASSERT_EQ(static_cast<int64_t>(claimed.size()), inputs[i].numel()) << what << ": input " << i << " got no gradient";
    std::vector<double> estimate(claimed.size());
    for (size_t k = 0; k < claimed.size(); ++k)
      estimate[k] = best_difference(op_case, inputs, inputs[i].data<double>() + k, claimed[k], weights);
    expect_close(claimed, estimate, kGradientLimit,
                 str(what, ", float64 gradient of input ", i, " against differences"));
  }
}

void compare(const Result& got, const Result& want, double value_limit, double gradient_limit,
             const std::string& what) {
  expect_close(got.value, want.value, value_limit, what + ", value");
  for (size_t i = 0; i < want.gradients.size(); ++i)
    expect_close(got.gradients[i], want.gradients[i], gradient_limit, str(what, ", gradient of input ", i));
}

std::string describe(const OpCase& op_case) { return str("case ", op_case.name, ", seed ", op_case.seed); }

}  // namespace

void check_op(const OpCase& op_case) {
  const std::string what = describe(op_case);
  const std::vector<Tensor> inputs = draw_inputs(op_case);
  const Result float64 = run(op_case, inputs, {DType::kFloat64, Device::cpu()});
  if (op_case.reference)
    expect_close(float64.value, op_case.reference(inputs), kReferenceLimit, what + ", float64 value");
  if (op_case.gradient) check_gradient_by_differences(op_case, inputs, float64, what);
  compare(run(op_case, inputs, {DType::kFloat32, Device::cpu()}), float64, op_case.float32_limit,
          op_case.float32_gradient_limit, what + ", float32 against float64");
}

void check_ops_on_cuda(const std::vector<OpCase>& cases) {
  if (const std::string reason = cuda_unavailable_reason(); !reason.empty()) GTEST_SKIP() << reason;
  for (const OpCase& op_case : cases) {
    const std::vector<Tensor> inputs = draw_inputs(op_case);
    const Result cpu = run(op_case, inputs, {DType::kFloat64, Device::cpu()});
    compare(run(op_case, inputs, {DType::kFloat32, Device::cuda()}), cpu, op_case.cuda_limit, op_case.cuda_limit,
            describe(op_case) + ", float32 on cuda against float64 on cpu");
  }
}

std::string op_test_name(const testing::TestParamInfo<OpCase>& info) {
  std::string name = info.param.name;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

}  // namespace ghost::test
