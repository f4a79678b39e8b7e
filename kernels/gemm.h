// Matrix product on the calling thread alone, row-major, any leading dimensions:
//   c[i,j] (+)= sum_p a'[i,p] * b'[p,j]     a' {m, k} and b' {k, n} are a and b or their transposes
// lda, ldb, ldc are the distances between stored rows. c does not overlap a or b. k == 0 gives zeros (or leaves c).
// The result of one problem is always the same bits. Callers spread work over threads by cutting the problem.
#pragma once

#include <cstdint>

namespace ghost {

template <class T>
void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b,
          int64_t ldb, T* c, int64_t ldc, bool accumulate);

extern template void gemm<float>(bool, bool, int64_t, int64_t, int64_t, const float*, int64_t, const float*, int64_t,
                                 float*, int64_t, bool);
extern template void gemm<double>(bool, bool, int64_t, int64_t, int64_t, const double*, int64_t, const double*, int64_t,
                                  double*, int64_t, bool);

}  // namespace ghost
