// What surrounds the product in a panel (panel_gemm.h): the epilogue of a raw input as it is loaded, the gradient of a
// raw output, the moments of what was written. On the calling thread; rows are pixels, counted over n, h, w.
#pragma once

#include "kernels/conv2d.h"
#include "kernels/epilogue_rows.h"

namespace ghost {

// out[r, j] = epilogue(x)[row + r, channel + j] for `rows` pixels and `channels` channels; rows of out lie out_pitch
// apart. `epilogue` was made for x with one pixel per row.
template <class T>
void panel_epilogue(const Tensor& x, const cpu::RowEpilogue& epilogue, int64_t channel, int64_t channels, int64_t row,
                    int64_t rows, T* out, int64_t out_pitch);

// A RawGradient made ready for panels.
struct PanelGradient {
  explicit PanelGradient(const RawGradient& raw);
  RawGradient raw;
  cpu::RowEpilogue epilogue;
  Tensor a, b, d;  // [c] each
};

// out[r, j] = dz[row + r, channel + j]
template <class T>
void panel_gradient(const PanelGradient& gradient, int64_t channel, int64_t channels, int64_t row, int64_t rows, T* out,
                    int64_t out_pitch);

// Mean and sum of squared deviations of each column of z {rows, channels}, as channel_moments.h wants them; rows >= 1.
template <class T>
void panel_moments(const T* z, int64_t pitch, int64_t rows, int64_t channels, T* means, T* squares);

// sums[j] += sum_r z[r, j]
template <class T>
void panel_sums(const T* z, int64_t pitch, int64_t rows, int64_t channels, T* sums);

}  // namespace ghost
