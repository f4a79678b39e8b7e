#include "kernels/optimizer_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"

namespace ghost {
namespace {

using test::random_tensor;

const Shape kShapes[] = {{1}, {7, 3}, {16, 4, 3, 3}, {0}, {40000}, {5, 1, 1, 1}};
constexpr int kSteps = 5;

std::vector<ParameterSlot> make_slots(const TensorOptions& options) {
  std::vector<ParameterSlot> slots;
  for (const Shape& shape : kShapes) {
    const uint64_t seed = slots.size();
    slots.push_back({.value = random_tensor(shape, options, seed + 1),
                     .gradient = Tensor(shape, options),
                     .first = Tensor::zeros(shape, options),
                     .second = Tensor::zeros(shape, options),
                     .weight_decay = seed % 2 ? 0.0 : 0.05});
  }
  return slots;
}

double gradient_at(size_t slot, int64_t i, int step) {
  return std::sin(0.37 * static_cast<double>(i) + 1.3 * static_cast<double>(slot) + step);
}

void set_gradients(const std::vector<ParameterSlot>& slots, int step) {
  for (size_t s = 0; s < slots.size(); ++s) {
    std::vector<double> values(static_cast<size_t>(slots[s].gradient.numel()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = gradient_at(s, static_cast<int64_t>(i), step);
    if (!values.empty())
      slots[s].gradient.copy_from(Tensor::from(values, slots[s].gradient.shape()).to(slots[s].gradient.dtype()));
  }
}

// One weight through all steps, by the published formulas.
using Rule =
    std::function<void(double& weight, double gradient, double decay, double& first, double& second, int step)>;

template <class Step>
void check_rule(const Rule& rule, const Step& run_step) {
  for (const DType dtype : {DType::kFloat64, DType::kFloat32}) {
    const std::vector<ParameterSlot> slots = make_slots({dtype, {}});
    std::vector<std::vector<double>> want;
    for (const ParameterSlot& slot : slots) want.push_back(slot.value.to_vector());
    for (int step = 1; step <= kSteps; ++step) {
      set_gradients(slots, step);
      run_step(slots, step);
    }
    for (size_t s = 0; s < slots.size(); ++s) {
      for (size_t i = 0; i < want[s].size(); ++i) {
        double first = 0, second = 0;
        for (int step = 1; step <= kSteps; ++step)
          rule(want[s][i], gradient_at(s, static_cast<int64_t>(i), step), slots[s].weight_decay, first, second, step);
      }
      test::expect_close(slots[s].value.to_vector(), want[s], dtype == DType::kFloat64 ? 1e-12 : 3e-6,
                         str(dtype, " slot ", s));
    }
  }
}

TEST(OptimizerStep, Sgd) {
  for (const double momentum : {0.0, 0.9})
    for (const bool nesterov : {false, true})
      check_rule(
          [=](double& w, double g, double decay, double& buffer, double&, int) {
            g += decay * w;
            buffer = momentum * buffer + g;
            w -= 0.1 * (nesterov ? g + momentum * buffer : buffer);
          },
          [=](const std::vector<ParameterSlot>& slots, int) {
            cpu::sgd_step(slots, {.learning_rate = 0.1, .momentum = momentum, .nesterov = nesterov});
          });
}

TEST(OptimizerStep, SgdWithoutMomentumNeedsNoBuffer) {
  const Tensor value = Tensor::full({3}, 1), gradient = Tensor::full({3}, 2);
  cpu::sgd_step({{.value = value, .gradient = gradient, .first = {}, .second = {}}},
                {.learning_rate = 0.25, .momentum = 0});
  test::expect_close(value.to_vector(), {0.5, 0.5, 0.5}, 1e-7);
}

TEST(OptimizerStep, AdamAndAdamW) {
  for (const bool decoupled : {false, true})
    check_rule(
        [=](double& w, double g, double decay, double& m, double& v, int step) {
          if (decoupled)
            w *= 1 - 0.01 * decay;
          else
            g += decay * w;
          m = 0.9 * m + 0.1 * g;
          v = 0.98 * v + 0.02 * g * g;
          const double m_hat = m / (1 - std::pow(0.9, step)), v_hat = v / (1 - std::pow(0.98, step));
          w -= 0.01 * m_hat / (std::sqrt(v_hat) + 1e-8);
        },
        [=](const std::vector<ParameterSlot>& slots, int step) {
          cpu::adam_step(
              slots,
              {.learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8, .decoupled = decoupled, .step = step});
        });
}

TEST(OptimizerStep, Ema) {
  const Tensor value = random_tensor({50, 7}, {}, 1), average = random_tensor({50, 7}, {}, 2);
  std::vector<double> want = average.to_vector();
  const std::vector<double> values = value.to_vector();
  for (size_t i = 0; i < want.size(); ++i) want[i] = 0.9 * want[i] + 0.1 * values[i];
  cpu::ema_step({value}, {average}, 0.9);
  test::expect_close(average.to_vector(), want, 1e-6);
}

TEST(OptimizerStep, GlobalNormAndScale) {
  for (const DType dtype : {DType::kFloat64, DType::kFloat32}) {
    const std::vector<Tensor> tensors{random_tensor({3, 5}, {dtype, {}}, 1), random_tensor({50001}, {dtype, {}}, 2),
                                      Tensor({0}, {dtype, {}})};
    double squares = 0;
    for (const Tensor& tensor : tensors)
      for (const double value : tensor.to_vector()) squares += value * value;
    EXPECT_NEAR(global_norm(tensors), std::sqrt(squares), 1e-12 * std::sqrt(squares));
    cpu::scale_in_place(tensors, 0.5);
    EXPECT_NEAR(global_norm(tensors), 0.5 * std::sqrt(squares), 1e-12 * std::sqrt(squares));
  }
  EXPECT_EQ(global_norm({}), 0);
}

TEST(OptimizerStep, GlobalNormShowsWhatIsNotFinite) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    for (const int64_t place : {0, 17, 40000}) {
      const Tensor tensor = Tensor::zeros({40001});
      tensor.data<float>()[place] = static_cast<float>(bad);
      EXPECT_FALSE(std::isfinite(global_norm({Tensor::zeros({3}), tensor})));
    }
  // Squares beyond float32 do not overflow.
  EXPECT_NEAR(global_norm({Tensor::full({4}, 1e30)}), 2e30, 1e24);
}

TEST(OptimizerStep, SameBitsForAnyThreads) {
  test::expect_same_for_any_threads([] {
    const std::vector<ParameterSlot> slots = make_slots({});
    set_gradients(slots, 1);
    cpu::sgd_step(slots, {});
    const double norm = global_norm({slots[1].value, slots[2].value, slots[4].value});
    cpu::adam_step(slots, {});
    return std::vector<Tensor>{slots[2].value, slots[4].value, Tensor::full({1}, norm, {DType::kFloat64, {}})};
  });
}

TEST(OptimizerStep, RefusesViewsAndOtherSizes) {
  const Tensor value = Tensor::zeros({4, 4});
  test::expect_error(ErrorKind::kInternal, "gradient", [&] {
    cpu::sgd_step({{.value = value, .gradient = Tensor::zeros({4, 3}), .first = value, .second = {}}}, {});
  });
  test::expect_error(ErrorKind::kInternal, "channel view", [&] { cpu::squared_norm({value.channels(0, 2)}); });
}

}  // namespace
}  // namespace ghost
