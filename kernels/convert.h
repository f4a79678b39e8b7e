// A map in the type of its sums: float32 for bfloat16 and float16.
//   forward   y = x, exact
//   backward  dx = dy, rounded to x's type
#pragma once

#include "core/tape.h"

namespace ghost {

// x itself where it is not half.
Variable widen(const Variable& x);

}  // namespace ghost
