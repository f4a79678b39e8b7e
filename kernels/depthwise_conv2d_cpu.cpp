// Channel multipliers on the CPU. They are rare, so the input is repeated and handed to the loops for multiplier 1.
#include "core/parallel.h"
#include "kernels/depthwise_conv2d_rows.h"

namespace ghost::cpu {
namespace {

constexpr int64_t kPixelChunk = 1024;

}  // namespace

Tensor repeat_each_channel(const Tensor& x, const Epilogue& x_epilogue, int64_t multiplier) {
  Tensor y = x;
  if (!x_epilogue.identity()) {
    y = Tensor(x.shape(), x.options());
    epilogue_forward(x, x_epilogue, y);
  }
  const int64_t c = x.channels();
  const Tensor repeated({x.dim(0), x.dim(1), x.dim(2), c * multiplier}, x.options());
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    const T* const from = data_or_null<const T>(y);
    T* const to = data_or_null<T>(repeated);
    parallel_chunks(y.pixels(), kPixelChunk, [&](int64_t begin, int64_t end) {
      for (int64_t pixel = begin; pixel < end; ++pixel)
        for (int64_t channel = 0; channel < c; ++channel)
          std::fill_n(to + (pixel * c + channel) * multiplier, multiplier, from[pixel * y.pitch() + channel]);
    });
  });
  return repeated;
}

void sum_each_channel(const Tensor& repeated, int64_t multiplier, const Tensor& dx, bool accumulate) {
  const int64_t c = dx.channels();
  visit_float(dx.dtype(), [&]<class T>(TypeTag<T>) {
    const T* const from = data_or_null<const T>(repeated);
    T* const to = data_or_null<T>(dx);
    parallel_chunks(dx.pixels(), kPixelChunk, [&](int64_t begin, int64_t end) {
      for (int64_t pixel = begin; pixel < end; ++pixel)
        for (int64_t channel = 0; channel < c; ++channel) {
          T sum = accumulate ? to[pixel * dx.pitch() + channel] : T(0);
          for (int64_t i = 0; i < multiplier; ++i) sum += from[(pixel * c + channel) * multiplier + i];
          to[pixel * dx.pitch() + channel] = sum;
        }
    });
  });
}

}  // namespace ghost::cpu
