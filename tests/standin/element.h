// Elements in float32, bfloat16 or float16, for the vendor libraries' stand-ins.
#pragma once

#include <bit>

#include "core/dtype.h"
#include "core/half.h"

namespace ghost::standin {

inline float element(const void* data, DType type, int64_t i) {
  if (type == DType::kBFloat16) return widen(static_cast<const BFloat16*>(data)[i]);
  if (type == DType::kFloat16) return widen(static_cast<const Float16*>(data)[i]);
  return static_cast<const float*>(data)[i];
}

inline void set_element(void* data, DType type, int64_t i, float value) {
  if (type == DType::kBFloat16)
    static_cast<BFloat16*>(data)[i] = narrow<BFloat16>(value);
  else if (type == DType::kFloat16)
    static_cast<Float16*>(data)[i] = narrow<Float16>(value);
  else
    static_cast<float*>(data)[i] = value;
}

// As tensor cores round what they multiply: to 10 bits after the point.
inline float rounded_to_tf32(float value) {
  return std::bit_cast<float>((std::bit_cast<uint32_t>(value) + 0x1000u) & ~0x1fffu);
}

}  // namespace ghost::standin
