// bfloat16 and float16: bit patterns, and the types of elements that are stored in them. Round to nearest even.
#pragma once

#include <bit>
#include <cstdint>

#include "core/host_device.h"

#if defined(__NVCC__) || defined(__CUDA__)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

namespace ghost {

struct BFloat16 {
  uint16_t bits;
};
struct Float16 {
  uint16_t bits;
};

constexpr float float_from_bfloat16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

constexpr uint16_t bfloat16_from_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);  // keep a NaN a NaN
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

constexpr float float_from_float16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1fu;
  const uint32_t fraction = bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1.0p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

constexpr uint16_t float16_from_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // rounds to infinity
  if (magnitude < 0x38800000u) {  // subnormal: adding 0.5 makes the rounding of float do ours
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0.5f)));
  }
  const uint32_t rounded = magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<uint16_t>(sign | (rounded >> 13));
}

// The number that is stored, in float32; and a number rounded to be stored in S.
GHOST_HD inline float widen(float value) { return value; }
#if defined(__CUDA_ARCH__)
GHOST_HD inline float widen(BFloat16 half) { return __uint_as_float(static_cast<uint32_t>(half.bits) << 16); }
GHOST_HD inline float widen(Float16 half) { return __half2float(__ushort_as_half(half.bits)); }
#else
GHOST_HD inline float widen(BFloat16 half) { return float_from_bfloat16(half.bits); }
GHOST_HD inline float widen(Float16 half) { return float_from_float16(half.bits); }
#endif

template <class S>
GHOST_HD inline S narrow(float value);
template <>
GHOST_HD inline float narrow<float>(float value) {
  return value;
}
template <>
GHOST_HD inline BFloat16 narrow<BFloat16>(float value) {
#if defined(__CUDA_ARCH__)
  return {__bfloat16_as_ushort(__float2bfloat16_rn(value))};
#else
  return {bfloat16_from_float(value)};
#endif
}
template <>
GHOST_HD inline Float16 narrow<Float16>(float value) {
#if defined(__CUDA_ARCH__)
  return {__half_as_ushort(__float2half_rn(value))};
#else
  return {float16_from_float(value)};
#endif
}

}  // namespace ghost
