// What features and raw gradients move, for *_meta.cpp.
#pragma once

#include "core/meta.h"
#include "kernels/feature.h"

namespace ghost::meta {

inline int64_t bytes_of(const Epilogue& epilogue) { return bytes_of({epilogue.scale, epilogue.shift, epilogue.gate}); }

// z with what is applied to it.
inline int64_t bytes_of(const Tensor& z, const Epilogue& epilogue) { return bytes_of(z) + bytes_of(epilogue); }

inline int64_t bytes_of(const RawGradient& gradient) {
  if (gradient.plain()) return bytes_of(gradient.dy);
  return bytes_of({gradient.dy, gradient.z, gradient.coefficients}) + bytes_of(gradient.epilogue);
}

// A map that is written, or read and written.
inline int64_t bytes_written(const Tensor& map, bool accumulate) { return (accumulate ? 2 : 1) * bytes_of(map); }

}  // namespace ghost::meta
