#include <gtest/gtest.h>

#include "kernels/optimizer_step.h"
#include "tests/simt/feature_inputs.h"

namespace ghost {
namespace {

// More tensors than one launch's table holds, with sizes around a pack of four and around a block's piece, and an empty
// one.
std::vector<int64_t> sizes() {
  std::vector<int64_t> sizes = {1, 3, 4, 0, 5, 4095, 4096, 4097, 9001};
  for (int64_t i = 0; i < 260; ++i) sizes.push_back(1 + i % 9);
  return sizes;
}

// Tensors of a list, some of them one element off a 16-byte boundary.
struct TensorList {
  TensorList(uint64_t seed, double low, bool off_boundary) {
    for (const int64_t size : sizes())
      framed.push_back(
          simt::random_map({size}, {.seed = ++seed, .before = off_boundary && size % 2 ? 1 : 0, .low = low}));
  }
  TensorList(const TensorList& other) {
    for (const simt::Surrounded& tensor : other.framed) framed.push_back(simt::copy_map(tensor));
  }
  std::vector<Tensor> tensors() const { return {framed.begin(), framed.end()}; }
  std::vector<Tensor> doubles() const {
    std::vector<Tensor> result;
    for (const Tensor& tensor : tensors()) result.push_back(tensor.to(DType::kFloat64));
    return result;
  }
  std::vector<simt::Surrounded> framed;
};

double decay_of(size_t i) { return i % 3 == 0 ? 0.0 : 0.05; }

std::vector<ParameterSlot> slots_of(const std::vector<Tensor>& values, const std::vector<Tensor>& gradients,
                                    const std::vector<Tensor>& first, const std::vector<Tensor>& second) {
  std::vector<ParameterSlot> slots;
  for (size_t i = 0; i < values.size(); ++i)
    slots.push_back({values[i], gradients[i], first.empty() ? Tensor() : first[i],
                     second.empty() ? Tensor() : second[i], decay_of(i)});
  return slots;
}

void expect_lists(const std::string& op, const std::vector<Tensor>& got, const std::vector<Tensor>& want) {
  for (size_t i = 0; i < got.size(); ++i)
    simt::expect_close({op, str("tensor ", i, " of ", got[i].numel(), " elements"), 1}, got[i], want[i], simt::kLimit);
}

// step(slots, on_cpu) on copies, twice, so that the moments take part.
template <class Step>
void check_step(const std::string& name, bool with_first, bool with_second, const Step& step) {
  const TensorList value(100, -1, true), gradient(2000, -1, false), first(3000, -1, true), second(4000, 0, false);
  const std::vector<Tensor> none;
  const auto value64 = value.doubles(), gradient64 = gradient.doubles(), first64 = first.doubles(),
             second64 = second.doubles();
  for (int turn = 1; turn <= 2; ++turn)
    step(slots_of(value64, gradient64, with_first ? first64 : none, with_second ? second64 : none), true, turn);
  simt::for_each_order([&] {
    const TensorList v(value), m(first), s(second);
    for (int turn = 1; turn <= 2; ++turn)
      step(slots_of(v.tensors(), gradient.tensors(), with_first ? m.tensors() : none, with_second ? s.tensors() : none),
           false, turn);
    expect_lists(name + " value", v.tensors(), value64);
    expect_lists(name + " first", m.tensors(), first64);
    expect_lists(name + " second", s.tensors(), second64);
  });
}

TEST(OptimizerSimt, Sgd) {
  for (const bool nesterov : {false, true}) {
    const SgdOptions options{.learning_rate = 0.1, .momentum = 0.9, .nesterov = nesterov};
    check_step(nesterov ? "sgd nesterov" : "sgd", true, false, [&](const auto& slots, bool on_cpu, int) {
      on_cpu ? cpu::sgd_step(slots, options) : simt::sgd_step(slots, options);
    });
  }
}

TEST(OptimizerSimt, SgdWithoutMomentumBuffer) {
  const SgdOptions options{.learning_rate = 0.1, .momentum = 0};
  check_step("plain sgd", false, false, [&](const auto& slots, bool on_cpu, int) {
    on_cpu ? cpu::sgd_step(slots, options) : simt::sgd_step(slots, options);
  });
}

TEST(OptimizerSimt, Adam) {
  for (const bool decoupled : {false, true}) {
    check_step(decoupled ? "adamw" : "adam", true, true, [&](const auto& slots, bool on_cpu, int turn) {
      const AdamOptions options{.learning_rate = 0.01, .decoupled = decoupled, .step = turn};
      on_cpu ? cpu::adam_step(slots, options) : simt::adam_step(slots, options);
    });
  }
}

TEST(OptimizerSimt, Ema) {
  const TensorList value(1, -1, false), average(2, -1, true);
  const auto average64 = average.doubles();
  cpu::ema_step(value.doubles(), average64, 0.97);
  simt::for_each_order([&] {
    const TensorList got(average);
    simt::ema_step(value.tensors(), got.tensors(), 0.97);
    expect_lists("ema", got.tensors(), average64);
  });
}

// A CUDA graph of a step finds them there: what went with the launch is of another step.
TEST(OptimizerSimt, TheStepsNumbersMayStandInMemory) {
  const auto numbers = [](const StepNumbers& n) {
    return Tensor::from<double>({n.learning_rate, n.step_size, n.inverse_root, n.average_share}, {kStepNumbers});
  };
  const Tensor sgd = numbers({.learning_rate = 0.1});
  for (const bool with_buffer : {false, true})
    check_step("sgd", with_buffer, false, [&](const auto& slots, bool on_cpu, int) {
      const double momentum = with_buffer ? 0.9 : 0;
      on_cpu ? cpu::sgd_step(slots, {.learning_rate = 0.1, .momentum = momentum})
             : simt::sgd_step(slots, {.learning_rate = 7, .momentum = momentum, .numbers = sgd});
    });
  for (const bool decoupled : {false, true})
    check_step("adam", true, true, [&](const auto& slots, bool on_cpu, int turn) {
      const AdamOptions options{.learning_rate = 0.01, .decoupled = decoupled, .step = turn};
      const AdamOptions other{
          .learning_rate = 7, .decoupled = decoupled, .step = 99, .numbers = numbers(numbers_of(options))};
      on_cpu ? cpu::adam_step(slots, options) : simt::adam_step(slots, other);
    });
  const Tensor value = Tensor::full({9}, 2), average = Tensor::full({9}, 1);
  simt::ema_step({value}, {average}, 0.5, numbers({.average_share = 0.25}));
  EXPECT_EQ(average.to_vector(), std::vector<double>(9, 1.25));
}

Tensor no_norms() { return Tensor::zeros({kNormSize}, {DType::kFloat64, Device::cpu()}); }

TEST(OptimizerSimt, NormIsInDoubleAndAddedUp) {
  const TensorList list(1, -1, true);
  const double expected = std::sqrt(cpu::squared_norm(list.doubles()));
  simt::for_each_order([&] {
    const Tensor norm = no_norms();
    for (const double turn : {1.0, 2.0}) {
      simt::gradient_norm(list.tensors(), expected / 4, norm);
      EXPECT_NEAR(norm.to_vector()[kNorm], expected, 1e-12 * expected);
      EXPECT_NEAR(norm.to_vector()[kClip], 0.25, 1e-12);
      EXPECT_NEAR(norm.to_vector()[kNormSum], turn * expected, 1e-12 * turn * expected);
    }
    simt::gradient_norm(list.tensors(), 2 * expected, norm);
    EXPECT_EQ(norm.to_vector()[kClip], 1);
    simt::gradient_norm(list.tensors(), 0, norm);
    EXPECT_EQ(norm.to_vector()[kClip], 1);
  });
}

TEST(OptimizerSimt, NormOfNothingAndOfWhatIsNotFinite) {
  const Tensor norm = no_norms();
  simt::gradient_norm({Tensor({0})}, 1, norm);
  EXPECT_EQ(norm.to_vector(), (std::vector<double>{0, 1, 0, 0, 0, 0}));
  for (const double bad : {HUGE_VAL, std::nan("")}) {
    simt::gradient_norm({Tensor({3}), Tensor::full({5}, bad)}, 1, norm);
    EXPECT_FALSE(std::isfinite(norm.to_vector()[kNorm]));
    EXPECT_EQ(norm.to_vector()[kClip], 0);
    EXPECT_FALSE(std::isfinite(norm.to_vector()[kNormSum]));
  }
}

// With a loss scale: norm and factor are of the unscaled gradients, an overflow halves the scale.
TEST(OptimizerSimt, LossScale) {
  for (const double bad : {0.0, HUGE_VAL}) {
    const Tensor norm = Tensor::from<double>({0, 0, 5, 8, 7, 2}, {kNormSize});
    const Tensor expected = norm.clone(), gradient({1});
    const std::vector<Tensor> gradients{Tensor::full({40}, 8), Tensor::full({1}, bad)};
    simt::scaled_loss_gradient(norm, 0.25, gradient);
    EXPECT_EQ(gradient.item(), 2);
    simt::gradient_norm(gradients, 1, norm);
    cpu::gradient_norm(gradients, 1, expected);
    EXPECT_EQ(norm.to_vector(), expected.to_vector());
    EXPECT_EQ(norm.to_vector()[kLossScale], bad == 0 ? 8 : 4);
    EXPECT_EQ(norm.to_vector()[kSkippedSteps], bad == 0 ? 2 : 3);
  }
}

// A step scales the gradients by the norm's factor, and with 0 it changes nothing.
TEST(OptimizerSimt, StepsTakeTheFactorOfTheNorm) {
  for (const double factor : {0.25, 0.0}) {
    const Tensor norm = Tensor::from<double>({3, factor, 3, 0, 0, 0}, {kNormSize});
    const auto slot = [] {
      return ParameterSlot{Tensor::full({9}, 2), Tensor::full({9}, 8), Tensor::full({9}, 1), Tensor::full({9}, 1), 0.5};
    };
    const auto expect_like = [&](const char* op, const ParameterSlot& got, const ParameterSlot& expected) {
      simt::expect_close({op, str("factor ", factor), 0}, got.value, expected.value, simt::kLimit);
      simt::expect_close({op, str("factor ", factor), 0}, got.first, expected.first, simt::kLimit);
      EXPECT_EQ(expected.value.to_vector()[0] == 2, factor == 0);
    };
    const ParameterSlot sgd = slot(), sgd_cpu = slot(), adam = slot(), adam_cpu = slot();
    simt::sgd_step({sgd}, {.norm = norm});
    cpu::sgd_step({sgd_cpu}, {.norm = norm});
    expect_like("sgd", sgd, sgd_cpu);
    simt::adam_step({adam}, {.norm = norm});
    cpu::adam_step({adam_cpu}, {.norm = norm});
    expect_like("adam", adam, adam_cpu);
  }
}

TEST(OptimizerSimt, NothingForNoTensors) {
  simt::sgd_step({}, {});
  simt::adam_step({}, {});
  simt::ema_step({}, {}, 0.9);
}

}  // namespace
}  // namespace ghost
