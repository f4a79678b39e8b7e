// The formulas of kernels/feature.h over one row, on Highway vectors. Include from a foreach_target source; the guard
// lets it in once per instruction set.
#if defined(GHOST_KERNELS_EPILOGUE_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GHOST_KERNELS_EPILOGUE_ROWS_INL_H_
#undef GHOST_KERNELS_EPILOGUE_ROWS_INL_H_
#else
#define GHOST_KERNELS_EPILOGUE_ROWS_INL_H_
#endif

#include <hwy/highway.h>

#include "kernels/activation_simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {

// body(d, i) for every vector at element i of [begin, count), then for the rest with half vectors, quarters, down to
// one element: nothing outside the row is read or written.
template <class D, class Body>
HWY_INLINE void for_vectors(D d, int64_t begin, int64_t count, const Body& body) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (; begin + lanes <= count; begin += lanes) body(d, begin);
  if constexpr (hn::MaxLanes(D()) > 1) {
    if (begin < count) for_vectors(hn::Half<D>(), begin, count, body);
  }
}

// act(scale * z + shift) at element i.
template <class Act, class D, class T>
HWY_INLINE hn::Vec<D> epilogue_at(D d, const T* z, const T* scale, const T* shift, int64_t i) {
  return activation_value(Act(), d, hn::MulAdd(hn::LoadU(d, scale + i), hn::LoadU(d, z + i), hn::LoadU(d, shift + i)));
}

// y = act(scale * z + shift)
template <class Act, class T>
HWY_INLINE void epilogue_row(const T* z, const T* scale, const T* shift, T* y, int64_t count) {
  for_vectors(hn::ScalableTag<T>(), 0, count,
              [&](auto d, int64_t i) HWY_ATTR { hn::StoreU(epilogue_at<Act>(d, z, scale, shift, i), d, y + i); });
}

// y = act(scale * z + shift) * gate
template <class Act, class T>
HWY_INLINE void gated_epilogue_row(const T* z, const T* scale, const T* shift, const T* gate, T* y, int64_t count) {
  for_vectors(hn::ScalableTag<T>(), 0, count, [&](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::Mul(epilogue_at<Act>(d, z, scale, shift, i), hn::LoadU(d, gate + i)), d, y + i);
  });
}

// g = dy * act'(scale * z + shift) at element i.
template <class Act, class D, class T>
HWY_INLINE hn::Vec<D> masked_gradient_at(D d, const T* dy, const T* z, const T* scale, const T* shift, int64_t i) {
  const auto x = hn::MulAdd(hn::LoadU(d, scale + i), hn::LoadU(d, z + i), hn::LoadU(d, shift + i));
  return activation_gradient(Act(), d, x, hn::LoadU(d, dy + i));
}

// dz = g; dz may be dy.
template <class Act, class T>
HWY_INLINE void masked_gradient_row(const T* dy, const T* z, const T* scale, const T* shift, T* dz, int64_t count) {
  for_vectors(hn::ScalableTag<T>(), 0, count, [&](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(masked_gradient_at<Act>(d, dy, z, scale, shift, i), d, dz + i);
  });
}

// dz = a * g + b * z + d; dz may be dy. abd: rows a, b, d of a RawGradient's coefficients.
template <class Act, class T>
HWY_INLINE void raw_gradient_row(const T* dy, const T* z, const T* scale, const T* shift, const T* const abd[3], T* dz,
                                 int64_t count) {
  for_vectors(hn::ScalableTag<T>(), 0, count, [&](auto d, int64_t i) HWY_ATTR {
    const auto rest = hn::MulAdd(hn::LoadU(d, abd[1] + i), hn::LoadU(d, z + i), hn::LoadU(d, abd[2] + i));
    const auto g = masked_gradient_at<Act>(d, dy, z, scale, shift, i);
    hn::StoreU(hn::MulAdd(hn::LoadU(d, abd[0] + i), g, rest), d, dz + i);
  });
}

// sums[i] = sum over pixels of term(d, pixel, i), for i in [0, channels). Runs of 32 pixels are added up first, so that
// the rounding error does not grow with the map.
template <class T, class Term>
HWY_INLINE void sum_pixels(int64_t pixels, int64_t channels, T* sums, const Term& term) {
  constexpr int64_t kRun = 32;
  for (int64_t begin = 0; begin < pixels; begin += kRun) {
    const int64_t end = begin + kRun < pixels ? begin + kRun : pixels;
    for_vectors(hn::ScalableTag<T>(), 0, channels, [&](auto d, int64_t i) HWY_ATTR {
      auto sum = term(d, begin, i);
      for (int64_t pixel = begin + 1; pixel < end; ++pixel) sum = hn::Add(sum, term(d, pixel, i));
      hn::StoreU(begin ? hn::Add(sum, hn::LoadU(d, sums + i)) : sum, d, sums + i);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#endif
