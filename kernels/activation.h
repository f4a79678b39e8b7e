// An activation as an op of its own, for the places where no epilogue carries it.
//   forward   y = act(x)
//   backward  dx = dy * act'(x): x is saved
#pragma once

#include "kernels/feature.h"

namespace ghost {

Variable activate(const Variable& x, Activation activation);  // any shape

}  // namespace ghost
