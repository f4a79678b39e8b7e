#include "kernels/panel_gemm.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/panel_gemm.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

// Seen once, although the file is compiled once per instruction set.
#ifndef GHOST_KERNELS_PANEL_GEMM_TABLE
#define GHOST_KERNELS_PANEL_GEMM_TABLE
namespace ghost {

template <class T>
struct PanelGemmFunctions {
  void (*pack)(int64_t k, int64_t n, const T* b, int64_t k_step, int64_t n_step, T* packed, int64_t begin, int64_t end);
  void (*multiply)(int64_t rows, int64_t n, int64_t k, const T* a, int64_t lda, const T* packed, T* c, int64_t ldc,
                   bool accumulate);
  void (*multiply_transposed)(int64_t rows, int64_t m, int64_t n, const T* a, int64_t lda, const T* b, int64_t ldb,
                              T* c, int64_t ldc, bool accumulate);
};

}  // namespace ghost
#endif

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace {

// Where the registers end: an MR x NV tile of sums, NV vectors of b and one broadcast must fit.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr int kTileRows[4] = {0, 16, 12, 8};
#else
constexpr int kTileRows[4] = {0, 8, 4, 4};
#endif
constexpr int kMaxVectors = 3;
constexpr int kGemmScratch = 4;      // scratch slot; those before it are the convolutions'
constexpr int64_t kPackedRows = 16;  // read and written lines of so many both stay in the first-level cache

template <class T>
struct Operands {
  int64_t k;   // length of the sums
  const T* a;  // element (i, p) at a[i / 4 * a_group + i % 4 * a_row + p * a_step]
  int64_t a_group, a_row, a_step;
  const T* b;  // row p at b + p * b_step
  int64_t b_step;
  T* c;
  int64_t ldc;
  bool accumulate;
  int64_t tail;  // lanes in use of the last vector of a row of c
};

// MR rows by NV vectors of c; kTail: the last vector is not full.
template <int MR, int NV, bool kTail, class T>
void tile(const Operands<T>& o, int64_t row) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto mask = hn::FirstN(d, static_cast<size_t>(o.tail));
  const int64_t a_row = o.a_row, a_step = o.a_step, b_step = o.b_step;
  // Four rows share a pointer: x86 reaches all four from it, and the pointers do not run out of registers.
  constexpr int kGroups = (MR + 3) / 4;
  const T* a[kGroups];
  HWY_UNROLL(4)
  for (int g = 0; g < kGroups; ++g) a[g] = o.a + (row / 4 + g) * o.a_group + row % 4 * a_row;
  const T* HWY_RESTRICT b = o.b;
  V sum[MR][NV];
  HWY_UNROLL(16)
  for (int i = 0; i < MR; ++i) {
    HWY_UNROLL(3)
    for (int j = 0; j < NV; ++j) sum[i][j] = hn::Zero(d);
  }
  for (int64_t p = o.k; p > 0; --p) {
    V right[NV];
    HWY_UNROLL(3)
    for (int j = 0; j < NV; ++j) {
      if (kTail && j == NV - 1) {
        right[j] = hn::MaskedLoad(mask, d, b + j * lanes);
      } else {
        right[j] = hn::LoadU(d, b + j * lanes);
      }
    }
    HWY_UNROLL(16)
    for (int i = 0; i < MR; ++i) {
      const V left = hn::Set(d, a[i / 4][(i % 4) * a_row]);
      HWY_UNROLL(3)
      for (int j = 0; j < NV; ++j) sum[i][j] = hn::MulAdd(left, right[j], sum[i][j]);
    }
    HWY_UNROLL(4)
    for (int g = 0; g < kGroups; ++g) a[g] += a_step;
    b += b_step;
  }
  HWY_UNROLL(16)
  for (int i = 0; i < MR; ++i) {
    T* const c = o.c + (row + i) * o.ldc;
    HWY_UNROLL(3)
    for (int j = 0; j < NV; ++j) {
      V value = sum[i][j];
      if (kTail && j == NV - 1) {
        if (o.accumulate) value = hn::Add(value, hn::MaskedLoad(mask, d, c + j * lanes));
        hn::BlendedStore(value, mask, d, c + j * lanes);
      } else {
        if (o.accumulate) value = hn::Add(value, hn::LoadU(d, c + j * lanes));
        hn::StoreU(value, d, c + j * lanes);
      }
    }
  }
}

// All rows of a block of NV vectors: tall tiles first, the rest in tiles of 8, 4, 2, 1.
template <int NV, bool kTail, class T>
void column_block(const Operands<T>& o, int64_t rows) {
  constexpr int R = kTileRows[NV];
  int64_t row = 0;
  for (; row + R <= rows; row += R) tile<R, NV, kTail>(o, row);
  if constexpr (R > 8) {
    if (row + 8 <= rows) tile<8, NV, kTail>(o, row), row += 8;
  }
  if constexpr (R > 4) {
    if (row + 4 <= rows) tile<4, NV, kTail>(o, row), row += 4;
  }
  if (row + 2 <= rows) tile<2, NV, kTail>(o, row), row += 2;
  if (row < rows) tile<1, NV, kTail>(o, row);
}

template <class T>
void column_block(const Operands<T>& o, int64_t rows, int vectors) {
  const bool full = o.tail == static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  switch (vectors * 2 + (full ? 0 : 1)) {
    case 2: return column_block<1, false>(o, rows);
    case 3: return column_block<1, true>(o, rows);
    case 4: return column_block<2, false>(o, rows);
    case 5: return column_block<2, true>(o, rows);
    case 6: return column_block<3, false>(o, rows);
    default: return column_block<3, true>(o, rows);
  }
}

// Calls visit(first column, columns, vectors) for blocks of up to kMaxVectors vectors, of even width: 4 are 2 + 2.
template <class T, class Visit>
HWY_INLINE void for_column_blocks(int64_t n, const Visit& visit) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  for (int64_t column = 0; column < n;) {
    const int64_t left = (n - column + lanes - 1) / lanes;
    const int64_t vectors = left == 4 ? 2 : std::min<int64_t>(left, kMaxVectors);
    visit(column, std::min(n - column, vectors * lanes), static_cast<int>(vectors));
    column += vectors * lanes;
  }
}

template <class T>
int64_t tail_lanes(int64_t columns, int vectors) {
  return columns - (vectors - 1) * static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
}

// Four rows and columns: to[p * width + j] = from[j * n_step + p].
template <class T>
HWY_INLINE void transpose_four(const T* from, int64_t n_step, T* to, int64_t width) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (sizeof(T) == sizeof(float)) {
    const hn::Full128<T> d;
    const auto row = [&](int64_t j) HWY_ATTR { return hn::LoadU(d, from + j * n_step); };
    const auto even = hn::InterleaveLower(d, row(0), row(2)), odd = hn::InterleaveLower(d, row(1), row(3)),
               upper_even = hn::InterleaveUpper(d, row(0), row(2)), upper_odd = hn::InterleaveUpper(d, row(1), row(3));
    hn::StoreU(hn::InterleaveLower(d, even, odd), d, to);
    hn::StoreU(hn::InterleaveUpper(d, even, odd), d, to + width);
    hn::StoreU(hn::InterleaveLower(d, upper_even, upper_odd), d, to + 2 * width);
    hn::StoreU(hn::InterleaveUpper(d, upper_even, upper_odd), d, to + 3 * width);
    return;
  }
#endif
  for (int64_t p = 0; p < 4; ++p)
    for (int64_t j = 0; j < 4; ++j) to[p * width + j] = from[j * n_step + p];
}

// Rows [p0, p1) of a block; its columns past `columns` are 0.
template <class T>
void pack_rows(int64_t p0, int64_t p1, int64_t columns, const T* b, int64_t k_step, int64_t n_step, T* block,
               int64_t width) {
  int64_t j = 0;
  if (n_step == 1) {
    for (int64_t p = p0; p < p1; ++p) std::copy_n(b + p * k_step, columns, block + p * width);
    j = columns;
  } else if (k_step == 1 && p1 - p0 == kPackedRows) {
    for (; j + 4 <= columns; j += 4)
      for (int64_t p = p0; p < p1; p += 4) transpose_four(b + j * n_step + p, n_step, block + p * width + j, width);
  }
  for (; j < columns; ++j)
    for (int64_t p = p0; p < p1; ++p) block[p * width + j] = b[j * n_step + p * k_step];
  for (int64_t p = p0; p < p1; ++p) std::fill(block + p * width + columns, block + (p + 1) * width, T(0));
}

template <class T>
void pack(int64_t k, int64_t n, const T* b, int64_t k_step, int64_t n_step, T* packed, int64_t begin, int64_t end) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  for (int64_t p0 = 0; p0 < k; p0 += kPackedRows) {
    const int64_t p1 = std::min(k, p0 + kPackedRows);
    for_column_blocks<T>(n, [&](int64_t column, int64_t columns, int vectors) {
      if (column >= begin && column < end)
        pack_rows(p0, p1, columns, b + column * n_step, k_step, n_step, packed + k * column, vectors * lanes);
    });
  }
}

template <class T>
void multiply(int64_t rows, int64_t n, int64_t k, const T* a, int64_t lda, const T* packed, T* c, int64_t ldc,
              bool accumulate) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  for_column_blocks<T>(n, [&](int64_t column, int64_t columns, int vectors) {
    column_block<T>({k, a, 4 * lda, lda, 1, packed + k * column, vectors * lanes, c + column, ldc, accumulate,
                     tail_lanes<T>(columns, vectors)},
                    rows, vectors);
  });
}

// Columns of a, four by four, each four one after another: (p, i) at packed[i / 4 * 4 * rows + p * 4 + i % 4].
template <class T>
void pack_columns(int64_t rows, int64_t m, const T* a, int64_t lda, T* packed) {
  constexpr int64_t kLine = 64 / sizeof(T);
  for (int64_t line = 0; line < m; line += kLine) {
    const int64_t end = std::min(m, line + kLine);
    for (int64_t p = 0; p < rows; ++p) {
      const T* const row = a + p * lda;
      int64_t i = line;
      for (; i + 4 <= end; i += 4) std::copy_n(row + i, 4, packed + i * rows + p * 4);
      for (; i < end; ++i) packed[i / 4 * 4 * rows + p * 4 + i % 4] = row[i];
    }
  }
}

template <class T>
void multiply_transposed(int64_t rows, int64_t m, int64_t n, const T* a, int64_t lda, const T* b, int64_t ldb, T* c,
                         int64_t ldc, bool accumulate) {
  constexpr int64_t kSlice = 128;  // rows of b that stay in the first-level cache while all of a passes
  // With so large a c, which goes through the second-level cache in every slice, both are first copied together.
  const bool copies = m * n * static_cast<int64_t>(sizeof(T)) >= 1 << 20;
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN T b_block[kSlice * kMaxVectors * hn::MaxLanes(d)];
  T* const a_packed = copies ? scratch<T>(kGemmScratch, (m + 3) / 4 * 4 * kSlice) : nullptr;
  for (int64_t row = 0; row < std::max<int64_t>(rows, 1); row += kSlice) {
    const int64_t count = std::min(kSlice, rows - row);
    Operands<T> o{count, a + row * lda, 4, 1, lda, nullptr, 0, nullptr, ldc, accumulate || row > 0, 0};
    if (copies) {
      pack_columns(count, m, o.a, lda, a_packed);
      o.a = a_packed, o.a_group = 4 * count, o.a_step = 4;
    }
    for_column_blocks<T>(n, [&](int64_t column, int64_t columns, int vectors) {
      o.b = b + row * ldb + column, o.b_step = ldb, o.c = c + column, o.tail = tail_lanes<T>(columns, vectors);
      if (copies) {
        pack_rows(0, count, columns, o.b, ldb, 1, b_block, vectors * lanes);
        o.b = b_block, o.b_step = vectors * lanes;
      }
      column_block(o, m, vectors);
    });
  }
}

template <class T>
PanelGemmFunctions<T> functions() {
  return {&pack<T>, &multiply<T>, &multiply_transposed<T>};
}
PanelGemmFunctions<float> panel_gemm_float_functions() { return functions<float>(); }
PanelGemmFunctions<double> panel_gemm_double_functions() { return functions<double>(); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ghost {
namespace {

HWY_EXPORT(panel_gemm_float_functions);
HWY_EXPORT(panel_gemm_double_functions);

template <class T>
const PanelGemmFunctions<T>& functions() {
  if constexpr (sizeof(T) == sizeof(float)) {
    static const PanelGemmFunctions<float> chosen = HWY_DYNAMIC_DISPATCH(panel_gemm_float_functions)();
    return chosen;
  } else {
    static const PanelGemmFunctions<double> chosen = HWY_DYNAMIC_DISPATCH(panel_gemm_double_functions)();
    return chosen;
  }
}

}  // namespace

template <class T>
void pack_matrix(int64_t k, int64_t n, const T* b, int64_t k_step, int64_t n_step, T* packed, int64_t begin,
                 int64_t end) {
  functions<T>().pack(k, n, b, k_step, n_step, packed, begin, end);
}

template <class T>
void panel_gemm(int64_t rows, int64_t n, int64_t k, const T* a, int64_t lda, const T* packed, T* c, int64_t ldc,
                bool accumulate) {
  functions<T>().multiply(rows, n, k, a, lda, packed, c, ldc, accumulate);
}

template <class T>
void panel_gemm_transposed(int64_t rows, int64_t m, int64_t n, const T* a, int64_t lda, const T* b, int64_t ldb, T* c,
                           int64_t ldc, bool accumulate) {
  functions<T>().multiply_transposed(rows, m, n, a, lda, b, ldb, c, ldc, accumulate);
}

#define GHOST_INSTANTIATE(T)                                                                                        \
  template void pack_matrix(int64_t, int64_t, const T*, int64_t, int64_t, T*, int64_t, int64_t);                    \
  template void panel_gemm(int64_t, int64_t, int64_t, const T*, int64_t, const T*, T*, int64_t, bool);              \
  template void panel_gemm_transposed(int64_t, int64_t, int64_t, const T*, int64_t, const T*, int64_t, T*, int64_t, \
                                      bool);
GHOST_INSTANTIATE(float)
GHOST_INSTANTIATE(double)
#undef GHOST_INSTANTIATE

}  // namespace ghost
#endif  // HWY_ONCE
