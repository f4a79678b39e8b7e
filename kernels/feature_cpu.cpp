#include "core/simd_targets.h"
#include "core/tensor_ops.h"
#include "kernels/epilogue_rows.h"
#include "kernels/feature.h"
#include "kernels/widened.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/feature_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/epilogue_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {

template <class Act, class T>
void forward_rows(const Tensor& z, const cpu::RowEpilogue& epilogue, const Tensor& y, int64_t row_pixels, int64_t begin,
                  int64_t end) {
  const int64_t c = z.channels(), z_pitch = z.pitch(), y_pitch = y.pitch();
  const T *const scale = epilogue.scale.data<T>(), *const shift = epilogue.shift.data<T>();
  const T* const from = z.data<T>();
  T* const to = y.data<T>();
  for (int64_t pixel = begin; pixel < end; pixel += row_pixels) {
    if (const T* const gate = epilogue.gate_row<T>(z, pixel))
      gated_epilogue_row<Act>(from + pixel * z_pitch, scale, shift, gate, to + pixel * y_pitch, c);
    else
      epilogue_row<Act>(from + pixel * z_pitch, scale, shift, to + pixel * y_pitch,
                        std::min(row_pixels, end - pixel) * c);
  }
}

void epilogue_forward_range(const Tensor& z, const cpu::RowEpilogue& epilogue, const Tensor& y, int64_t row_pixels,
                            int64_t begin, int64_t end) {
  visit_float(z.dtype(), [&]<class T>(TypeTag<T>) {
    visit_activation(epilogue.activation,
                     [&]<class Act>(Act) { forward_rows<Act, T>(z, epilogue, y, row_pixels, begin, end); });
  });
}

template <class Act, class T>
void gradient_rows(const RawGradient& gradient, const cpu::RowEpilogue& epilogue, const Tensor* coefficients,
                   const Tensor& dz, int64_t row_pixels, int64_t begin, int64_t end) {
  const int64_t c = dz.channels();
  const T *const scale = epilogue.scale.data<T>(), *const shift = epilogue.shift.data<T>();
  const T* abd[3] = {};
  for (int i = 0; i < 3 && coefficients[i].defined(); ++i) abd[i] = coefficients[i].data<T>();
  const int64_t dy_pitch = gradient.dy.pitch(), z_pitch = gradient.z.pitch(), dz_pitch = dz.pitch();
  const T *const first_dy = gradient.dy.data<T>(), *const first_z = gradient.z.data<T>();
  T* const first_dz = dz.data<T>();
  for (int64_t pixel = begin; pixel < end; pixel += row_pixels) {
    const int64_t count = std::min(row_pixels, end - pixel) * c;
    const T *const dy = first_dy + pixel * dy_pitch, *const z = first_z + pixel * z_pitch;
    T* const out = first_dz + pixel * dz_pitch;
    if (gradient.coefficients.defined())
      raw_gradient_row<Act>(dy, z, scale, shift, abd, out, count);
    else
      masked_gradient_row<Act>(dy, z, scale, shift, out, count);
  }
}

void raw_gradient_range(const RawGradient& gradient, const cpu::RowEpilogue& epilogue, const Tensor* coefficients,
                        const Tensor& dz, int64_t row_pixels, int64_t begin, int64_t end) {
  visit_float(dz.dtype(), [&]<class T>(TypeTag<T>) {
    visit_activation(epilogue.activation, [&]<class Act>(Act) {
      gradient_rows<Act, T>(gradient, epilogue, coefficients, dz, row_pixels, begin, end);
    });
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ghost {

HWY_EXPORT(epilogue_forward_range);
HWY_EXPORT(raw_gradient_range);

void cpu::epilogue_forward(const Tensor& z, const Epilogue& epilogue, const Tensor& y) {
  if (epilogue.identity()) return tensor_copy(z, y);
  if (is_half(z.dtype())) {
    Widened half;
    return epilogue_forward(half.read(z), epilogue, half.write(y));
  }
  const bool dense = z.contiguous() && y.contiguous() && !epilogue.gate.defined();
  const int64_t row_pixels = pixels_per_row(z.channels(), dense);
  const RowEpilogue ready(z, epilogue, row_pixels);
  const auto run = HWY_DYNAMIC_DISPATCH(epilogue_forward_range);
  for_pixel_ranges(z, row_pixels, [&](int64_t begin, int64_t end) { run(z, ready, y, row_pixels, begin, end); });
}

void cpu::raw_gradient(const RawGradient& gradient, const Tensor& dz) {
  if (gradient.plain()) {
    if (dz.raw_data() != gradient.dy.raw_data()) tensor_copy(gradient.dy, dz);
    return;
  }
  if (is_half(dz.dtype())) {
    Widened half;
    return raw_gradient(half.read(gradient), half.write(dz));
  }
  const bool dense = gradient.dy.contiguous() && gradient.z.contiguous() && dz.contiguous();
  const int64_t c = dz.channels(), row_pixels = pixels_per_row(c, dense);
  const RowEpilogue ready(gradient.z, gradient.epilogue, row_pixels);
  Tensor coefficients[3];
  for (int i = 0; i < 3 && gradient.coefficients.defined(); ++i)
    coefficients[i] = repeat_channels(gradient.coefficients.rows(i, 1).reshape({c}), 0, c, row_pixels, dz.options());
  const auto run = HWY_DYNAMIC_DISPATCH(raw_gradient_range);
  for_pixel_ranges(dz, row_pixels,
                   [&](int64_t begin, int64_t end) { run(gradient, ready, coefficients, dz, row_pixels, begin, end); });
}

}  // namespace ghost
#endif  // HWY_ONCE
