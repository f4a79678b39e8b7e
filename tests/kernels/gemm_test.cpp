#include "kernels/gemm.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/panel_gemm.h"
#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"

namespace ghost {
namespace {

using test::random_tensor;

struct Size {
  int64_t m, n, k;
};

// Odd sizes around every tile height and width, and some that need several blocks.
const Size kSizes[] = {{1, 1, 1},    {2, 3, 5},    {3, 16, 4},   {7, 17, 9},   {16, 15, 33}, {31, 33, 8},
                       {50, 48, 20}, {13, 64, 31}, {29, 100, 3}, {130, 50, 7}, {300, 9, 12}, {5, 7, 0}};

template <class T>
class Gemm : public testing::Test {
 protected:
  static constexpr double kLimit = sizeof(T) == 4 ? 2e-5 : 1e-13;
  TensorOptions options{dtype_of<T>, Device::cpu()};

  Tensor random(int64_t rows, int64_t columns, uint64_t seed) { return random_tensor({rows, columns}, options, seed); }

  // c0 (+)= a' b' in double.
  static std::vector<double> reference(bool transpose_a, bool transpose_b, const Size& size, const Tensor& a,
                                       const Tensor& b, const Tensor* c0) {
    const std::vector<double> av = a.to_vector(), bv = b.to_vector();
    std::vector<double> c = c0 ? c0->to_vector() : std::vector<double>(static_cast<size_t>(size.m * size.n));
    for (int64_t i = 0; i < size.m; ++i) {
      for (int64_t j = 0; j < size.n; ++j) {
        for (int64_t p = 0; p < size.k; ++p) {
          c[static_cast<size_t>(i * size.n + j)] +=
              av[static_cast<size_t>(transpose_a ? p * size.m + i : i * size.k + p)] *
              bv[static_cast<size_t>(transpose_b ? j * size.k + p : p * size.n + j)];
        }
      }
    }
    return c;
  }
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Gemm, Types);

TYPED_TEST(Gemm, EqualsPlainLoopsInEveryTransposition) {
  using T = TypeParam;
  for (const Size& size : kSizes) {
    for (int variant = 0; variant < 8; ++variant) {
      const bool ta = variant & 1, tb = variant & 2, accumulate = variant & 4;
      const Tensor a = ta ? this->random(size.k, size.m, 1) : this->random(size.m, size.k, 1);
      const Tensor b = tb ? this->random(size.n, size.k, 2) : this->random(size.k, size.n, 2);
      const Tensor c0 = this->random(size.m, size.n, 3);
      const test::GuardedTensor ga(a), gb(b), gc(c0);
      gemm<T>(ta, tb, size.m, size.n, size.k, ga.view().template data<T>(), ga.view().pitch(),
              gb.view().template data<T>(), gb.view().pitch(), gc.view().template data<T>(), gc.view().pitch(),
              accumulate);
      gc.expect_guard_untouched("gemm");
      test::expect_close(gc.view().to_vector(), this->reference(ta, tb, size, a, b, accumulate ? &c0 : nullptr),
                         this->kLimit, str("m=", size.m, " n=", size.n, " k=", size.k, " variant ", variant));
    }
  }
}

TYPED_TEST(Gemm, PanelEqualsPlainLoops) {
  using T = TypeParam;
  for (const Size& size : kSizes) {
    for (const bool accumulate : {false, true}) {
      const Tensor a = this->random(size.m, size.k, 1), b = this->random(size.n, size.k, 2);
      const Tensor c0 = this->random(size.m, size.n, 3);
      const Tensor packed({packed_size<T>(size.k, size.n)}, this->options);
      pack_matrix(size.k, size.n, b.template data<T>(), 1, size.k, packed.template data<T>(), 0, size.n);
      const test::GuardedTensor ga(a), gc(c0);
      panel_gemm(size.m, size.n, size.k, ga.view().template data<T>(), ga.view().pitch(),
                 const_cast<const T*>(packed.template data<T>()), gc.view().template data<T>(), gc.view().pitch(),
                 accumulate);
      gc.expect_guard_untouched("panel_gemm");
      test::expect_close(gc.view().to_vector(), this->reference(false, true, size, a, b, accumulate ? &c0 : nullptr),
                         this->kLimit, str("m=", size.m, " n=", size.n, " k=", size.k, " accumulate ", accumulate));
    }
  }
}

TYPED_TEST(Gemm, PacksFromEitherLayout) {
  using T = TypeParam;
  for (const Size& size : kSizes) {
    const Tensor b = this->random(size.k, size.n, 2), turned({size.n, size.k}, this->options);
    for (int64_t p = 0; p < size.k; ++p)
      for (int64_t j = 0; j < size.n; ++j)
        turned.template data<T>()[j * size.k + p] = b.template data<T>()[p * size.n + j];
    const Shape shape{packed_size<T>(size.k, size.n)};
    const Tensor rows = Tensor::full(shape, 7, this->options), columns = Tensor::full(shape, 7, this->options);
    pack_matrix<T>(size.k, size.n, b.template data<T>(), size.n, 1, rows.template data<T>(), 0, size.n);
    pack_matrix<T>(size.k, size.n, turned.template data<T>(), 1, size.k, columns.template data<T>(), 0, size.n);
    EXPECT_EQ(rows.to_vector(), columns.to_vector()) << "n=" << size.n << " k=" << size.k;
  }
}

// Threads share out the columns of a large matrix.
TYPED_TEST(Gemm, PackedInPiecesIsPackedAtOnce) {
  using T = TypeParam;
  constexpr int64_t k = 5, piece = 96;
  for (int64_t n = 1; n < 4 * piece; ++n) {
    const Tensor b = this->random(n, k, 2);
    const Shape shape{packed_size<T>(k, n)};
    const Tensor whole = Tensor::full(shape, 7, this->options), pieces = Tensor::full(shape, 7, this->options);
    pack_matrix<T>(k, n, b.template data<T>(), 1, k, whole.template data<T>(), 0, n);
    for (int64_t begin = 0; begin < n; begin += piece)
      pack_matrix<T>(k, n, b.template data<T>(), 1, k, pieces.template data<T>(), begin, begin + piece);
    ASSERT_EQ(whole.to_vector(), pieces.to_vector()) << "n=" << n;
  }
}

TYPED_TEST(Gemm, TransposedPanelEqualsPlainLoops) {
  using T = TypeParam;
  std::vector<Size> sizes(std::begin(kSizes), std::end(kSizes));
  sizes.push_back({515, 523, 131});  // a result of more than 1 MiB, two slices of rows
  for (const Size& size : sizes) {
    for (const bool accumulate : {false, true}) {
      const Tensor a = this->random(size.k, size.m, 1), b = this->random(size.k, size.n, 2);
      const Tensor c0 = this->random(size.m, size.n, 3);
      const test::GuardedTensor ga(a), gb(b), gc(c0);
      panel_gemm_transposed(size.k, size.m, size.n, const_cast<const T*>(ga.view().template data<T>()),
                            ga.view().pitch(), const_cast<const T*>(gb.view().template data<T>()), gb.view().pitch(),
                            gc.view().template data<T>(), gc.view().pitch(), accumulate);
      gc.expect_guard_untouched("panel_gemm_transposed");
      test::expect_close(gc.view().to_vector(), this->reference(true, false, size, a, b, accumulate ? &c0 : nullptr),
                         this->kLimit, str("m=", size.m, " n=", size.n, " k=", size.k, " accumulate ", accumulate));
    }
  }
}

}  // namespace
}  // namespace ghost
