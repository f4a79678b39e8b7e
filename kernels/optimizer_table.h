// How the optimizer's CUDA kernels cut their work: a launch takes a table of tensors, a block a piece of one.
#pragma once

#include "core/launch.h"
#include "kernels/optimizer_step.h"

namespace ghost {

constexpr int64_t kPiece = 4096;  // elements a block works on

// Blocks, and partial sums, of all tensors.
inline int64_t pieces_of(const std::vector<Tensor>& tensors) {
  int64_t pieces = 0;
  for (const Tensor& tensor : tensors) pieces += ceil_div(tensor.numel(), kPiece);
  return pieces;
}

// What gradient_norm() writes where there is no element; no kernel is started for that.
inline void write_norm_of_nothing(const Tensor& norm) {
  norm.rows(kNorm, 1).fill(0);
  norm.rows(kClip, 1).fill(1);
}

// Tensors of a launch that works on `parts` arrays of each: a kernel's arguments may take 4096 bytes; 256 are left for
// others.
constexpr int optimizer_table_slots(int parts) { return (4096 - 256) / (parts * 8 + 16); }

}  // namespace ghost
