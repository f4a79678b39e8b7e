#include "kernels/gemm.h"

#include <dnnl.h>
#include <omp.h>

#include <algorithm>

#include "core/error.h"

namespace ghost {
namespace {

void product(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
             const float* b, int64_t ldb, float* c, int64_t ldc, bool accumulate) {
  // The pool's threads are ours; oneDNN must not start its own below each of them.
  thread_local const bool one_thread = (omp_set_num_threads(1), true);
  static_cast<void>(one_thread);
  const dnnl_status_t status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.0f, a, lda, b,
                                          ldb, accumulate ? 1.0f : 0.0f, c, ldc);
  GHOST_ASSERT(status == dnnl_success, "dnnl_sgemm gave status ", static_cast<int>(status), " for m=", m, " n=", n,
               " k=", k, " lda=", lda, " ldb=", ldb, " ldc=", ldc);
}

// float64 serves the gradient checks: plain loops whose inner one runs along c's rows.
void product(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const double* a, int64_t lda,
             const double* b, int64_t ldb, double* c, int64_t ldc, bool accumulate) {
  for (int64_t i = 0; i < m; ++i) {
    double* const row = c + i * ldc;
    if (!accumulate) std::fill_n(row, n, 0.0);
    for (int64_t p = 0; p < k; ++p) {
      const double factor = transpose_a ? a[p * lda + i] : a[i * lda + p];
      if (transpose_b) {
        for (int64_t j = 0; j < n; ++j) row[j] += factor * b[j * ldb + p];
      } else {
        for (int64_t j = 0; j < n; ++j) row[j] += factor * b[p * ldb + j];
      }
    }
  }
}

}  // namespace

template <class T>
void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b,
          int64_t ldb, T* c, int64_t ldc, bool accumulate) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (int64_t i = 0; i < m && !accumulate; ++i) std::fill_n(c + i * ldc, n, T(0));
    return;
  }
  product(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, c, ldc, accumulate);
}

template void gemm<float>(bool, bool, int64_t, int64_t, int64_t, const float*, int64_t, const float*, int64_t, float*,
                          int64_t, bool);
template void gemm<double>(bool, bool, int64_t, int64_t, int64_t, const double*, int64_t, const double*, int64_t,
                           double*, int64_t, bool);

}  // namespace ghost
