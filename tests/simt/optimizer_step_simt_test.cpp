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

TEST(OptimizerSimt, ScaleInPlace) {
  const TensorList list(1, -1, true);
  const auto expected = list.doubles();
  cpu::scale_in_place(expected, -0.37);
  simt::for_each_order([&] {
    const TensorList got(list);
    simt::scale_in_place(got.tensors(), -0.37);
    expect_lists("scale_in_place", got.tensors(), expected);
  });
}

TEST(OptimizerSimt, SquaredNormIsInDouble) {
  const TensorList list(1, -1, true);
  const double expected = cpu::squared_norm(list.doubles());
  simt::for_each_order([&] { EXPECT_NEAR(simt::squared_norm(list.tensors()), expected, 1e-12 * expected); });
  EXPECT_EQ(simt::squared_norm({}), 0);
  EXPECT_EQ(simt::squared_norm({Tensor({0})}), 0);
  EXPECT_FALSE(std::isfinite(simt::squared_norm({Tensor::full({5}, HUGE_VAL)})));
}

TEST(OptimizerSimt, NothingForNoTensors) {
  simt::sgd_step({}, {});
  simt::adam_step({}, {});
  simt::ema_step({}, {}, 0.9);
  simt::scale_in_place({}, 2);
}

}  // namespace
}  // namespace ghost
