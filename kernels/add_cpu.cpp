#include "core/simd_targets.h"
#include "kernels/add.h"
#include "kernels/epilogue_rows.h"
#include "kernels/widened.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/add_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/epilogue_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {

// y = epilogue(z), or y += where `add`.
template <bool add, class Act, class T>
void put_row(const T* z, const T* scale, const T* shift, const T* gate, T* y, int64_t count) {
  for_vectors(hn::ScalableTag<T>(), 0, count, [&](auto d, int64_t i) HWY_ATTR {
    auto value = epilogue_at<Act>(d, z, scale, shift, i);
    if (gate) value = hn::Mul(value, hn::LoadU(d, gate + i));
    if constexpr (add) value = hn::Add(value, hn::LoadU(d, y + i));
    hn::StoreU(value, d, y + i);
  });
}

// Both summands are linear, the residual of GhostNet: one loop.
template <class T>
void add_linear_row(const T* a, const T* a_scale, const T* a_shift, const T* b, const T* b_scale, const T* b_shift,
                    T* y, int64_t count) {
  for_vectors(hn::ScalableTag<T>(), 0, count, [&](auto d, int64_t i) HWY_ATTR {
    const auto other = epilogue_at<Identity>(d, b, b_scale, b_shift, i);
    hn::StoreU(hn::Add(epilogue_at<Identity>(d, a, a_scale, a_shift, i), other), d, y + i);
  });
}

template <bool add, class T>
void put(const Tensor& z, const cpu::RowEpilogue& epilogue, int64_t pixel, T* y, int64_t count) {
  const T* const gate = epilogue.gate_row<T>(z, pixel);
  visit_activation(epilogue.activation, [&]<class Act>(Act) {
    put_row<add, Act>(z.data<T>() + pixel * z.pitch(), epilogue.scale.data<T>(), epilogue.shift.data<T>(), gate, y,
                      count);
  });
}

template <class T>
void add_rows(const Tensor& a, const cpu::RowEpilogue& a_epilogue, const Tensor& b, const cpu::RowEpilogue& b_epilogue,
              const Tensor& y, int64_t row_pixels, int64_t begin, int64_t end) {
  const bool linear = a_epilogue.linear() && b_epilogue.linear();
  for (int64_t pixel = begin; pixel < end; pixel += row_pixels) {
    const int64_t count = std::min(row_pixels, end - pixel) * y.channels();
    T* const out = y.data<T>() + pixel * y.pitch();
    if (linear) {
      add_linear_row(a.data<T>() + pixel * a.pitch(), a_epilogue.scale.data<T>(), a_epilogue.shift.data<T>(),
                     b.data<T>() + pixel * b.pitch(), b_epilogue.scale.data<T>(), b_epilogue.shift.data<T>(), out,
                     count);
    } else {  // the second visit finds the row in the first-level cache
      put<false>(a, a_epilogue, pixel, out, count);
      put<true>(b, b_epilogue, pixel, out, count);
    }
  }
}

void add_range(const Tensor& a, const cpu::RowEpilogue& a_epilogue, const Tensor& b, const cpu::RowEpilogue& b_epilogue,
               const Tensor& y, int64_t row_pixels, int64_t begin, int64_t end) {
  visit_float(y.dtype(),
              [&]<class T>(TypeTag<T>) { add_rows<T>(a, a_epilogue, b, b_epilogue, y, row_pixels, begin, end); });
}

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ghost {

HWY_EXPORT(add_range);

void cpu::add_forward(const Tensor& a, const Epilogue& a_epilogue, const Tensor& b, const Epilogue& b_epilogue,
                      const Tensor& y) {
  if (is_half(y.dtype())) {
    Widened half;
    return add_forward(half.read(a), a_epilogue, half.read(b), b_epilogue, half.write(y));
  }
  const bool gated = a_epilogue.gate.defined() || b_epilogue.gate.defined();
  const bool dense = a.contiguous() && b.contiguous() && y.contiguous() && !gated;
  const int64_t row_pixels = pixels_per_row(y.channels(), dense);
  const RowEpilogue a_ready(a, a_epilogue, row_pixels), b_ready(b, b_epilogue, row_pixels);
  const auto run = HWY_DYNAMIC_DISPATCH(add_range);
  for_pixel_ranges(y, row_pixels,
                   [&](int64_t begin, int64_t end) { run(a, a_ready, b, b_ready, y, row_pixels, begin, end); });
}

}  // namespace ghost
#endif  // HWY_ONCE
