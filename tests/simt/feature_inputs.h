// Epilogues and raw gradients for simt cases, in float32 for the kernels and in float64 for the CPU code they are
// compared with.
#pragma once

#include <string>

#include "kernels/feature.h"
#include "tests/simt/compare.h"
#include "tests/support/random_tensor.h"

namespace ghost::simt {

inline constexpr double kLimit = 1e-5;  // relative, of float32 kernels against float64 on the CPU

inline std::string name_of(Activation activation) {
  constexpr const char* kNames[] = {
      "none", "relu", "relu6", "leaky", "sigmoid", "hard_sigmoid", "hard_sigmoid_keras", "hard_swish", "swish", "mish"};
  return kNames[static_cast<int>(activation)];
}

struct EpilogueCase {
  bool scaled = false;
  Activation activation = Activation::kNone;
  bool gated = false;
};

inline std::ostream& operator<<(std::ostream& out, const EpilogueCase& c) {
  return out << (c.scaled ? "scaled " : "") << name_of(c.activation) << (c.gated ? " gated" : "");
}

// For a map of this shape. The per-channel vectors lie one element off any alignment and the gate has a pitch of its
// own.
inline Epilogue random_epilogue(const Shape& map, const EpilogueCase& options, uint64_t seed) {
  Epilogue epilogue;
  const int64_t c = map[-1];
  if (options.scaled) {
    // Wide enough for relu6 and the hard functions to meet their upper bends.
    epilogue.scale = random_map({c}, {.seed = seed + 1, .before = 1, .low = -5, .high = 5}).view();
    epilogue.shift = random_map({c}, {.seed = seed + 2, .before = 1, .low = -2, .high = 3}).view();
  }
  epilogue.activation = options.activation;
  if (options.gated) epilogue.gate = random_map({map[0], c}, {.seed = seed + 3, .before = 1, .after = 2}).view();
  return epilogue;
}

inline Tensor to_double(const Tensor& tensor) { return tensor.defined() ? tensor.to(DType::kFloat64) : tensor; }

inline Epilogue to_double(const Epilogue& epilogue) {
  return {to_double(epilogue.scale), to_double(epilogue.shift), epilogue.activation, to_double(epilogue.gate)};
}

struct GradientCase {
  EpilogueCase epilogue;  // never gated
  bool coefficients = false;
};

inline std::ostream& operator<<(std::ostream& out, const GradientCase& c) {
  return out << c.epilogue << (c.coefficients ? " with coefficients" : "");
}

// Where the gradient is plain, z is left out: no kernel may read it.
inline RawGradient random_gradient(const Shape& map, const GradientCase& options, const MapOptions& pitch,
                                   uint64_t seed) {
  RawGradient gradient;
  gradient.dy =
      random_map(map, {.seed = seed + 11, .before = pitch.before, .after = pitch.after, .dtype = pitch.dtype}).view();
  gradient.epilogue = random_epilogue(map, options.epilogue, seed + 20);
  if (options.coefficients)
    gradient.coefficients = random_map({3, map[-1]}, {.seed = seed + 12, .before = 1, .after = 1}).view();
  if (!gradient.plain())
    gradient.z =
        random_map(map, {.seed = seed + 13, .before = 2 * pitch.before, .after = pitch.after, .dtype = pitch.dtype})
            .view();
  return gradient;
}

inline RawGradient to_double(const RawGradient& gradient) {
  return {to_double(gradient.dy), to_double(gradient.z), to_double(gradient.epilogue),
          to_double(gradient.coefficients)};
}

inline Tensor empty_double(const Shape& shape) { return Tensor(shape, {DType::kFloat64, Device::cpu()}); }

// Maps that between them take the vector and the scalar path, one and several blocks of channels, one pixel, one image.
struct MapCase {
  Shape shape;
  MapOptions pitch;  // before, after
};
inline const MapCase kMaps[] = {
    {{2, 3, 5, 8}, {.before = 4, .after = 4}},   // channel slice on a 16-byte boundary: vectors
    {{2, 3, 5, 8}, {.before = 2, .after = 2}},   // the same values off it: scalars
    {{3, 2, 7, 19}, {.before = 3, .after = 1}},  // odd everything
    {{1, 1, 1, 4}, {}},                          // one pixel, dense
    {{4, 1, 1, 5}, {.after = 3}},
    {{2, 2, 2, 264}, {.before = 4}},  // two blocks of channels, the second not full
    {{1, 9, 60, 12}, {.before = 4}},  // more pixels than a block has rows
};

inline std::string describe(const MapCase& c) { return str(c.shape, " at channel ", c.pitch.before); }

}  // namespace ghost::simt
