#include "core/random.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace ghost {
namespace {

struct KnownAnswer {
  uint64_t seed, stream, index;
  uint32_t words[4];
};

// Random123's known answers for philox4x32-10: counter = {index, stream}, key = seed, low words first.
constexpr KnownAnswer kKnown[] = {
    {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {~0ull, ~0ull, ~0ull, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

TEST(Random, PhiloxKnownAnswers) {
  for (const KnownAnswer& known : kKnown) {
    const Philox4 words = philox(known.seed, known.stream, known.index);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(words.value[i], known.words[i]) << i;
  }
}

TEST(Random, DrawsTheWordsInOrder) {
  Rng rng(5, 9);
  for (uint64_t index = 0; index < 3; ++index)
    for (int i = 0; i < 4; ++i) EXPECT_EQ(rng.bits(), philox(5, 9, index).value[i]);
}

TEST(Random, UniformStaysInRange) {
  EXPECT_EQ(uniform_from_bits(0), 0);
  EXPECT_LT(uniform_from_bits(~0u), 1);
  Rng rng(1, 2);
  double sum = 0, squares = 0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const float u = rng.uniform(-1, 3);
    ASSERT_TRUE(u >= -1 && u < 3);
    sum += u;
    squares += (u - 1) * (u - 1);
  }
  EXPECT_NEAR(sum / kDraws, 1, 0.015);  // 4 standard errors
  EXPECT_NEAR(squares / kDraws, 16.0 / 12, 0.02);
}

TEST(Random, NormalHasMeanAndVariance) {
  Rng rng(3, 4);
  double sum = 0, squares = 0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const double value = rng.normal();
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.013);
  EXPECT_NEAR(squares / kDraws, 1, 0.018);
}

TEST(Random, BelowCoversItsRangeEvenly) {
  Rng rng(7, 8);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts.at(static_cast<size_t>(rng.below(7)));
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);
  EXPECT_EQ(rng.below(1), 0);
}

TEST(Random, StreamIdsDependOnEveryPartAndOnOrder) {
  std::set<uint64_t> ids;
  for (uint64_t a = 0; a < 10; ++a)
    for (uint64_t b = 0; b < 10; ++b)
      for (uint64_t c = 0; c < 10; ++c) ids.insert(stream_id(a, b, c));
  EXPECT_EQ(ids.size(), 1000u);
}

}  // namespace
}  // namespace ghost
