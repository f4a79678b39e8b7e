// Products of a panel, a few hundred pixel rows that stay in cache, with a small matrix: what a convolution does on the
// CPU, in our own vector code, on the calling thread. Rows may have any pitch; every row's sum over k runs in the same
// order wherever the row stands, so how a problem is cut into panels does not show in the result.
#pragma once

#include <cstdint>

namespace ghost {

// Elements that pack_matrix writes.
template <class T>
constexpr int64_t packed_size(int64_t k, int64_t n) {
  constexpr int64_t kLine = 64 / sizeof(T);
  return k * ((n + kLine - 1) / kLine * kLine);
}

// b {k, n}, element (p, j) at b[p * k_step + j * n_step], into the order in which panel_gemm reads: those of its blocks
// of columns that begin in [begin, end). Where a block ends depends on n, so ranges share one `packed` and one n.
template <class T>
void pack_matrix(int64_t k, int64_t n, const T* b, int64_t k_step, int64_t n_step, T* packed, int64_t begin,
                 int64_t end);

// c[i,j] (+)= sum_p a[i,p] * b[p,j]   a {rows, k}, b {k, n} packed, c {rows, n}
template <class T>
void panel_gemm(int64_t rows, int64_t n, int64_t k, const T* a, int64_t lda, const T* packed, T* c, int64_t ldc,
                bool accumulate);

// c[i,j] (+)= sum_p a[p,i] * b[p,j]   a {rows, m}, b {rows, n}, c {m, n}
template <class T>
void panel_gemm_transposed(int64_t rows, int64_t m, int64_t n, const T* a, int64_t lda, const T* b, int64_t ldb, T* c,
                           int64_t ldc, bool accumulate);

}  // namespace ghost
