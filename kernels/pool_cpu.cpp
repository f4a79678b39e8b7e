#include "core/simd_targets.h"
#include "kernels/epilogue_rows.h"
#include "kernels/pool.h"
#include "kernels/widened.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pool_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/epilogue_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {

template <class Act, class T>
void pool_image(const Tensor& z, const cpu::RowEpilogue& epilogue, const Tensor& y, int64_t image) {
  const int64_t c = z.channels(), pixels = z.pixels() / z.dim(0);
  const T* const first = z.data<T>() + image * pixels * z.pitch();
  const T* const gate = epilogue.gate_row<T>(z, image * pixels);
  const T *const scale = epilogue.scale.data<T>(), *const shift = epilogue.shift.data<T>();
  T* const out = y.data<T>() + image * c;
  sum_pixels<T>(pixels, c, out, [&](auto d, int64_t pixel, int64_t i) HWY_ATTR {
    return epilogue_at<Act>(d, first + pixel * z.pitch(), scale, shift, i);
  });
  for (int64_t i = 0; i < c; ++i) out[i] = out[i] / static_cast<T>(pixels) * (gate ? gate[i] : T(1));
}

void pool_one_image(const Tensor& z, const cpu::RowEpilogue& epilogue, const Tensor& y, int64_t image) {
  visit_float(z.dtype(), [&]<class T>(TypeTag<T>) {
    visit_activation(epilogue.activation, [&]<class Act>(Act) { pool_image<Act, T>(z, epilogue, y, image); });
  });
}

template <class T>
void spread_rows(const T* dy, T factor, T* dx, int64_t pitch, int64_t pixels, int64_t channels, bool accumulate) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel, dx += pitch) {
    for_vectors(hn::ScalableTag<T>(), 0, channels, [&](auto d, int64_t i) HWY_ATTR {
      const auto before = accumulate ? hn::LoadU(d, dx + i) : hn::Zero(d);
      hn::StoreU(hn::MulAdd(hn::LoadU(d, dy + i), hn::Set(d, factor), before), d, dx + i);
    });
  }
}

void spread_one_image(const Tensor& dy, const Tensor& dx, bool accumulate, int64_t image) {
  visit_float(dx.dtype(), [&]<class T>(TypeTag<T>) {
    const int64_t pixels = dx.pixels() / dx.dim(0);
    spread_rows(dy.data<T>() + image * dy.pitch(), static_cast<T>(1.0 / static_cast<double>(pixels)),
                dx.data<T>() + image * pixels * dx.pitch(), dx.pitch(), pixels, dx.channels(), accumulate);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ghost {

HWY_EXPORT(pool_one_image);
HWY_EXPORT(spread_one_image);

void cpu::global_average_pool_forward(const Tensor& z, const Epilogue& epilogue, const Tensor& y) {
  if (z.empty()) return;
  if (is_half(z.dtype())) return global_average_pool_forward(Widened::read(z), epilogue, y);
  const RowEpilogue ready(z, epilogue, 1);
  const auto run = HWY_DYNAMIC_DISPATCH(pool_one_image);
  parallel_for(z.dim(0), [&](int64_t image) { run(z, ready, y, image); });
}

void cpu::global_average_pool_backward(const Tensor& dy, const Tensor& dx, bool accumulate_dx) {
  if (dx.empty()) return;
  if (is_half(dx.dtype())) {
    Widened half;
    return global_average_pool_backward(dy, half.write(dx, accumulate_dx), accumulate_dx);
  }
  const auto run = HWY_DYNAMIC_DISPATCH(spread_one_image);
  parallel_for(dx.dim(0), [&](int64_t image) { run(dy, dx, accumulate_dx, image); });
}

}  // namespace ghost
#endif  // HWY_ONCE
