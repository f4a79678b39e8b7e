// Matrix products through cuBLASLt, which is opened at run time (core/shared_library_cuda.h). Included by
// *_cublaslt.cpp and *_cudnn.cpp only.
#pragma once

#include "core/tensor.h"

namespace ghost::cuda {

// a, b and c float32, or all three bfloat16 or float16; row-major, rows of c `pitch` elements apart:
//   c[i, j] = sum_p a'[i, p] b'[p, j] + bias[j]        (accumulate: added to c; then without bias)
// a' {m, k} and b' {k, n} are the matrices a and b or their transposes; a feature map is a matrix of pixels and
// channels. bias {n} or undefined, with float32 only. The same bits on every run on one kind of device; sums are
// float32, and so are products of float32 unless a Tf32Scope is open. k == 0 is not allowed. Throws kDevice.
struct MatmulOptions {
  bool transpose_a = false, transpose_b = false, accumulate = false;
};
void matmul(const Tensor& a, const Tensor& b, const Tensor& bias, const Tensor& c, const MatmulOptions& options);

}  // namespace ghost::cuda
