// The formula that fills weights, pictures and labels, on this side; make_golden.py has the other.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/optimizer_step.h"
#include "layers/models/model.h"

namespace ghost::test {

// Uniform in [low, high) from splitmix64 of FNV-1a(name) and the index, rounded to float32.
inline Tensor filled(std::string_view name, const Shape& shape, double low, double high) {
  uint64_t seed = 0xcbf29ce484222325ull;
  for (const char c : name) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  Tensor result(shape);
  for (int64_t i = 0; i < shape.numel(); ++i) {
    uint64_t z = seed + (static_cast<uint64_t>(i) + 1) * 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    z ^= z >> 31;
    const double u = static_cast<double>(z >> 11) * 0x1.0p-53;
    result.data<float>()[i] = static_cast<float>(low + (high - low) * u);
  }
  return result;
}

struct Range {
  double low, high;
};

inline Range value_range(std::string_view name, const Shape& shape) {
  if (shape.rank() > 1) {
    const double fan_in = static_cast<double>(shape.numel() / shape[0]);
    return {-std::sqrt(3.0 / fan_in), std::sqrt(3.0 / fan_in)};
  }
  if (name.ends_with("running_var")) return {1.0, 3.0};
  if (name.ends_with(".weight")) return {0.1, 0.4};
  if (name.ends_with("se.conv_expand.bias")) return {-3.5, 3.5};
  // Most units lie well above their kink: one that rounding pushes across it changes gradients by more than the limit.
  return {0.5, 1.5};
}

// Of a float32 model on the CPU.
inline void fill_model(const Module& model) {
  for (const NamedTensor& item : model.state()) {
    const Range range = value_range(item.name, item.tensor.shape());
    item.tensor.copy_from(filled(item.name, item.tensor.shape(), range.low, range.high));
  }
}

inline double norm(const Tensor& tensor) { return std::sqrt(cpu::squared_norm({tensor})); }

}  // namespace ghost::test
