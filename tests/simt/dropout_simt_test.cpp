#include <gtest/gtest.h>

#include "kernels/dropout.h"
#include "tests/simt/feature_inputs.h"

namespace ghost {
namespace {

// The mask is that of the CPU to the last element, so values agree to the bit.
TEST(DropoutSimt, SameMaskAsTheCpu) {
  for (const int64_t count : {1, 4, 7, 1030, 3001}) {
    for (const double p : {0.0, 0.2, 0.5, 0.999}) {
      const DropoutOptions options{.p = p, .seed = 0x123456789abcull, .stream = 77};
      const simt::Surrounded x = simt::random_map({count}, {.seed = 4});
      const Tensor expected({count});
      cpu::dropout_apply(x, options, expected);
      simt::for_each_order([&] {
        const simt::Surrounded y = simt::empty_map({count});
        simt::dropout_apply(x, options, y);
        simt::expect_close({"dropout", str(count, " elements, p ", p), 4}, y, expected, 0);
        const simt::Surrounded in_place = simt::copy_map(x);
        simt::dropout_apply(in_place, options, in_place);
        simt::expect_close({"dropout in place", str(count, " elements, p ", p), 4}, in_place, expected, 0);
      });
    }
  }
}

// p equal to a draw keeps the element, a p above it by less than the draws' spacing drops it.
TEST(DropoutSimt, ProbabilityBetweenTwoDraws) {
  const double draw = static_cast<double>(uniform_from_bits(philox(9, 5, 0).value[0]));
  const Tensor x = Tensor::full({1}, 1), kept({1}), dropped({1});
  simt::dropout_apply(x, {.p = draw, .seed = 9, .stream = 5}, kept);
  simt::dropout_apply(x, {.p = draw + 0x1.0p-26, .seed = 9, .stream = 5}, dropped);
  EXPECT_GT(kept.item(), 1);
  EXPECT_EQ(dropped.item(), 0);
}

TEST(DropoutSimt, TheStreamMayStandInMemory) {
  const Tensor x = Tensor::full({100}, 1), expected({100}), got({100}), on_cpu({100});
  const uint64_t stream = 0xfedcba9876543210;
  simt::dropout_apply(x, {.p = 0.5, .seed = 9, .stream = stream}, expected);
  const DropoutOptions options{
      .p = 0.5, .seed = 9, .stream = 1, .stream_at = Tensor::from<int64_t>({static_cast<int64_t>(stream)}, {1})};
  simt::dropout_apply(x, options, got);
  cpu::dropout_apply(x, options, on_cpu);
  EXPECT_EQ(got.to_vector(), expected.to_vector());
  EXPECT_EQ(on_cpu.to_vector(), expected.to_vector());
}

TEST(DropoutSimt, NothingForNoElements) { simt::dropout_apply(Tensor({0}), {}, Tensor({0})); }

}  // namespace
}  // namespace ghost
