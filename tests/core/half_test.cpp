#include "core/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ghost {
namespace {

// The value of a 16-bit pattern with so many exponent bits, from the definition of the format.
double value_of(uint16_t bits, int exponent_bits) {
  const int fraction_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> fraction_bits) & ((1 << exponent_bits) - 1),
            fraction = bits & ((1 << fraction_bits) - 1);
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return fraction ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
}

// Every pattern: its value is right, and back it is the same pattern.
void check_all_patterns(float (*widen)(uint16_t), uint16_t (*narrow)(float), int exponent_bits) {
  for (uint32_t i = 0; i <= 0xffff; ++i) {
    const uint16_t bits = static_cast<uint16_t>(i);
    const double want = value_of(bits, exponent_bits);
    const float got = widen(bits);
    if (std::isnan(want)) {
      ASSERT_TRUE(std::isnan(got)) << i;
      ASSERT_TRUE(std::isnan(value_of(narrow(got), exponent_bits))) << i;
      continue;
    }
    ASSERT_EQ(static_cast<double>(got), want) << i;
    ASSERT_EQ(std::signbit(got), std::signbit(want)) << i;
    ASSERT_EQ(narrow(got), bits) << i;
  }
}

// Between any two neighbours: nearest, and the even pattern in the very middle.
void check_rounding(float (*widen)(uint16_t), uint16_t (*narrow)(float), uint16_t infinity) {
  for (uint16_t low = 0; low + 1 < infinity; ++low) {
    const uint16_t high = static_cast<uint16_t>(low + 1);
    const double a = static_cast<double>(widen(low)), b = static_cast<double>(widen(high)), middle = (a + b) / 2;
    const float at = static_cast<float>(middle);
    ASSERT_EQ(static_cast<double>(at), middle);  // representable: float has more digits
    const uint16_t even = low % 2 == 0 ? low : high;
    ASSERT_EQ(narrow(at), even) << low;
    ASSERT_EQ(narrow(-at), even | 0x8000) << low;
    ASSERT_EQ(narrow(std::nextafter(at, 0.0f)), low) << low;
    ASSERT_EQ(narrow(std::nextafter(at, std::numeric_limits<float>::infinity())), high) << low;
  }
}

TEST(Half, Float16IsExactForEveryPattern) { check_all_patterns(float_from_float16, float16_from_float, 5); }
TEST(Half, BFloat16IsExactForEveryPattern) { check_all_patterns(float_from_bfloat16, bfloat16_from_float, 8); }

TEST(Half, RoundsToNearestEven) {
  check_rounding(float_from_float16, float16_from_float, 0x7c00);
  check_rounding(float_from_bfloat16, bfloat16_from_float, 0x7f80);
}

TEST(Half, Overflows) {
  EXPECT_EQ(float16_from_float(65504), 0x7bff);
  EXPECT_EQ(float16_from_float(65519.99f), 0x7bff);
  EXPECT_EQ(float16_from_float(65520), 0x7c00);
  EXPECT_EQ(float16_from_float(-1e9f), 0xfc00);
  EXPECT_EQ(float16_from_float(std::numeric_limits<float>::infinity()), 0x7c00);
  EXPECT_EQ(bfloat16_from_float(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(float16_from_float(1e-10f), 0);
}

}  // namespace
}  // namespace ghost
