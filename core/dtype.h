// Element types and the dispatch from a run-time dtype to a C++ type.
#pragma once

#include <cstdint>
#include <ostream>
#include <string_view>

#include "core/error.h"

namespace ghost {

// bfloat16 and float16 are storage types: what is stored in one is widened to float32, computed, and rounded when it is
// stored again. float64 is for gradient checks on the CPU.
enum class DType : uint8_t { kFloat32, kFloat64, kBFloat16, kFloat16, kInt32, kInt64, kUInt8 };

constexpr int64_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
    case DType::kInt64: return 8;
    case DType::kFloat32:
    case DType::kInt32: return 4;
    case DType::kBFloat16:
    case DType::kFloat16: return 2;
    case DType::kUInt8: return 1;
  }
  return 0;
}

constexpr std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return "float32";
    case DType::kFloat64: return "float64";
    case DType::kBFloat16: return "bfloat16";
    case DType::kFloat16: return "float16";
    case DType::kInt32: return "int32";
    case DType::kInt64: return "int64";
    case DType::kUInt8: return "uint8";
  }
  return "?";
}

constexpr bool is_half(DType dtype) { return dtype == DType::kBFloat16 || dtype == DType::kFloat16; }

// The type of what goes with a map of that type and is small: sums, statistics, per-channel numbers, parameters.
constexpr DType sum_type(DType dtype) { return is_half(dtype) ? DType::kFloat32 : dtype; }

inline std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

struct BFloat16;  // core/half.h
struct Float16;

template <class T>
constexpr DType dtype_of = DType::kFloat32;
template <>
inline constexpr DType dtype_of<BFloat16> = DType::kBFloat16;
template <>
inline constexpr DType dtype_of<Float16> = DType::kFloat16;
template <>
inline constexpr DType dtype_of<double> = DType::kFloat64;
template <>
inline constexpr DType dtype_of<int32_t> = DType::kInt32;
template <>
inline constexpr DType dtype_of<int64_t> = DType::kInt64;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::kUInt8;

template <class T>
struct TypeTag {
  using type = T;
};

// Calls visit(TypeTag<float>{}) or visit(TypeTag<double>{}).
template <class Visit>
decltype(auto) visit_float(DType dtype, const Visit& visit) {
  if (dtype == DType::kFloat32) return visit(TypeTag<float>{});
  GHOST_CHECK(dtype == DType::kFloat64, "this operation computes in float32 or float64, got ", dtype);
  return visit(TypeTag<double>{});
}

// Calls visit(TypeTag<BFloat16>{}) or visit(TypeTag<Float16>{}).
template <class Visit>
decltype(auto) visit_half(DType dtype, const Visit& visit) {
  if (dtype == DType::kBFloat16) return visit(TypeTag<BFloat16>{});
  GHOST_CHECK(dtype == DType::kFloat16, "a tensor in bfloat16 or float16 is needed, got ", dtype);
  return visit(TypeTag<Float16>{});
}

}  // namespace ghost
