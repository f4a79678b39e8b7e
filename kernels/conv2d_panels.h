// How a dense convolution is cut into panels on the CPU, shared by its forward and backward code. The cut depends on
// the problem alone, never on the threads.
#pragma once

#include <optional>
#include <vector>

#include "kernels/panel.h"

namespace ghost::cpu {

// Sizes of one problem. A row of the product is an output pixel; its columns on the input's side are (r, s, k): tap
// row, tap column, input channel of the group.
struct Conv2dSizes {
  Conv2dSizes(const Shape& x, const Shape& weight, const Shape& z, const Conv2dProblem& problem);

  int64_t n, h, w, c, oh, ow, o, kh, kw;
  int64_t stride, groups, top, left;
  int64_t group_in, group_out;  // channels of one group
  int64_t taps, columns;        // kh * kw and taps * group_in
  int64_t rows;                 // n * oh * ow
  bool pointwise;               // an output pixel reads the input pixel at its own place: 1x1, stride 1, no padding
};

// Rows whose input and output stay in the second-level cache.
int64_t fitting_rows(int64_t row_bytes);
// Rows of a panel: they fit, and there are enough panels to share out.
int64_t panel_rows(int64_t rows, int64_t row_bytes);
// Rows of each of `parts` parts of `count` rows, of about the same size; whole tiles of a product.
int64_t even_share(int64_t count, int64_t parts);

// A range of columns of one group. Few pixels make few panels: then the columns are shared out too.
struct ColumnPart {
  int64_t group, begin, end;
};
std::vector<ColumnPart> column_parts(int64_t groups, int64_t columns, int64_t panels);

// The weight as {o, columns}: in the order (r, s, k). A view where that is how it lies.
template <class T>
Tensor tap_major_weight(const Tensor& weight, const Conv2dSizes& sizes);

// A panel in memory.
template <class T>
struct Panel {
  const T* data;
  int64_t pitch;
};

// Distance of a scratch panel's rows: an odd number of cache lines. With a power of two, as the numbers of channels
// are, all rows of a column would lie in a few sets of the first-level cache.
template <class T>
int64_t panel_pitch(int64_t columns) {
  constexpr int64_t kLine = 64 / sizeof(T);
  return ((columns + kLine - 1) / kLine | 1) * kLine;
}

// The input's side of the product, panel by panel, epilogue applied; read in place where that is possible.
template <class T>
class InputPanels {
 public:
  InputPanels(const Tensor& x, const Epilogue& epilogue, const Conv2dSizes& sizes);
  // Columns `part` of rows [row, row + rows); the memory is the calling thread's scratch, valid until its next call.
  Panel<T> get(const ColumnPart& part, int64_t row, int64_t rows) const;

 private:
  void gather(int64_t group, int64_t row, int64_t rows, T* out) const;
  void gather_line(const T* image, int64_t y, int64_t j, int64_t count, T* out) const;

  Conv2dSizes sizes_;
  Tensor source_;  // x, or with more than one tap x with the epilogue applied: each element is read many times
  std::optional<RowEpilogue> epilogue_;
};

// Scratch slots of the convolutions.
enum ConvScratch { kInputScratch, kGradientScratch, kOutputScratch, kMomentScratch };

// dx of a convolution that is not pointwise, from a dz that is there as a tensor.
void conv2d_gather_input_gradient(const Tensor& dz, const Tensor& weight, const Conv2dProblem& problem,
                                  const Tensor& dx, bool accumulate);

}  // namespace ghost::cpu
