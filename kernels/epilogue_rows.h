// How the CPU passes over feature maps cut and prepare their work; the loops themselves are in epilogue_rows-inl.h.
#pragma once

#include <algorithm>

#include "core/parallel.h"
#include "kernels/feature.h"

namespace ghost::cpu {

// Pixels that make one row of a loop: in dense maps with few channels several, since a loop over 16 channels at a time
// spends its time on starting.
inline int64_t pixels_per_row(int64_t channels, bool dense) {
  return dense && channels > 0 && channels < 64 ? 256 / channels : 1;
}

// `per_channel` ([c], or undefined: all `otherwise`) written `times` times one after another.
inline Tensor repeat_channels(const Tensor& per_channel, double otherwise, int64_t channels, int64_t times,
                              const TensorOptions& options) {
  if (!per_channel.defined()) return Tensor::full({channels * times}, otherwise, options);
  if (times == 1) return per_channel;
  const Tensor repeated({times, channels}, options);
  visit_float(options.dtype, [&]<class T>(TypeTag<T>) {
    for (int64_t i = 0; i < times; ++i) std::copy_n(per_channel.data<T>(), channels, repeated.data<T>() + i * channels);
  });
  return repeated.reshape({channels * times});
}

// An epilogue made ready for the loops: scale and shift are there, repeated for rows of several pixels.
struct RowEpilogue {
  RowEpilogue(const Tensor& z, const Epilogue& epilogue, int64_t row_pixels)
      : scale(repeat_channels(epilogue.scale, 1, z.channels(), row_pixels, z.options())),
        shift(repeat_channels(epilogue.shift, 0, z.channels(), row_pixels, z.options())),
        gate(epilogue.gate),
        activation(epilogue.activation) {}

  bool linear() const { return activation == Activation::kNone && !gate.defined(); }
  // The gate of a pixel of z, or null.
  template <class T>
  const T* gate_row(const Tensor& z, int64_t pixel) const {
    return gate.defined() ? gate.data<T>() + pixel * z.dim(0) / z.pixels() * gate.pitch() : nullptr;
  }

  Tensor scale, shift;
  Tensor gate;  // [n, c] or none; then rows are single pixels
  Activation activation;
};

// Runs body(begin, end) over ranges of pixels of a map {n, h, w, c}, about 128 KiB each: a function of the shape alone.
inline void for_pixel_ranges(const Tensor& map, int64_t row_pixels,
                             FunctionRef<void(int64_t begin, int64_t end)> body) {
  const int64_t pixel_bytes = std::max<int64_t>(1, map.channels() * size_of(map.dtype()));
  const int64_t rows = std::max<int64_t>(1, (128 << 10) / (pixel_bytes * row_pixels));
  if (map.channels() > 0) parallel_chunks(map.pixels(), rows * row_pixels, body);
}

}  // namespace ghost::cpu
