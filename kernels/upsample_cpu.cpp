#include <algorithm>

#include "core/parallel.h"
#include "kernels/upsample.h"
#include "kernels/widened.h"

namespace ghost {
namespace {

template <class T>
void spread_row(const Tensor& x, const Tensor& z, int64_t row) {
  const int64_t w = x.dim(2), c = x.channels();
  const T* from = x.data<T>() + row * w * x.pitch();
  for (int64_t half = 0; half < 2; ++half) {
    T* to = z.data<T>() + (2 * row + half) * 2 * w * z.pitch();
    for (int64_t j = 0; j < 2 * w; ++j) std::copy_n(from + j / 2 * x.pitch(), c, to + j * z.pitch());
  }
}

template <class T>
void gather_row(const Tensor& dz, const Tensor& dx, bool accumulate, int64_t row) {
  const int64_t w = dx.dim(2), c = dx.channels(), pitch = dz.pitch();
  const T* const upper = dz.data<T>() + 2 * row * 2 * w * pitch;
  const T* const lower = upper + 2 * w * pitch;
  T* const out = dx.data<T>() + row * w * dx.pitch();
  for (int64_t j = 0; j < w; ++j) {
    const T *const a = upper + 2 * j * pitch, *const b = lower + 2 * j * pitch;
    T* const sum = out + j * dx.pitch();
    for (int64_t k = 0; k < c; ++k) {
      const T value = (a[k] + a[pitch + k]) + (b[k] + b[pitch + k]);
      sum[k] = accumulate ? sum[k] + value : value;
    }
  }
}

}  // namespace

void cpu::upsample2x_forward(const Tensor& x, const Tensor& z) {
  if (x.empty()) return;
  if (is_half(x.dtype())) {
    Widened half;
    return upsample2x_forward(half.read(x), half.write(z));
  }
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    parallel_for(x.dim(0) * x.dim(1), [&](int64_t row) { spread_row<T>(x, z, row); });
  });
}

void cpu::upsample2x_backward(const Tensor& dz, const Tensor& dx, bool accumulate_dx) {
  if (dx.empty()) return;
  if (is_half(dx.dtype())) {
    Widened half;
    return upsample2x_backward(half.read(dz), half.write(dx, accumulate_dx), accumulate_dx);
  }
  visit_float(dx.dtype(), [&]<class T>(TypeTag<T>) {
    parallel_for(dx.dim(0) * dx.dim(1), [&](int64_t row) { gather_row<T>(dz, dx, accumulate_dx, row); });
  });
}

}  // namespace ghost
