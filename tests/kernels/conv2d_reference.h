// Convolution by its formula, for tests: slow, plain, in double.
#pragma once

#include <vector>

#include "kernels/conv2d.h"

namespace ghost::test {

// z of conv2d in row order; bias may be undefined.
inline std::vector<double> conv2d_reference(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                            const Conv2dOptions& options) {
  const int64_t n = x.dim(0), h = x.dim(1), w = x.dim(2), c = x.dim(3);
  const int64_t o = weight.dim(0), k = weight.dim(1), kh = weight.dim(2), kw = weight.dim(3);
  int64_t oh, ow, top, left;
  if (options.padding == PaddingMode::kSymmetric) {
    top = kh / 2, left = kw / 2;
    oh = (h + 2 * top - kh) / options.stride + 1, ow = (w + 2 * left - kw) / options.stride + 1;
  } else {  // TensorFlow: ceil(size / stride) outputs, the smaller half of the padding first
    oh = (h + options.stride - 1) / options.stride, ow = (w + options.stride - 1) / options.stride;
    top = std::max<int64_t>((oh - 1) * options.stride + kh - h, 0) / 2;
    left = std::max<int64_t>((ow - 1) * options.stride + kw - w, 0) / 2;
  }
  const std::vector<double> in = x.to_vector(), filter = weight.to_vector();
  const std::vector<double> start = bias.defined() ? bias.to_vector() : std::vector<double>(static_cast<size_t>(o));
  std::vector<double> z;
  for (int64_t image = 0; image < n; ++image) {
    for (int64_t i = 0; i < oh; ++i) {
      for (int64_t j = 0; j < ow; ++j) {
        for (int64_t out = 0; out < o; ++out) {
          const int64_t group = out / (o / options.groups);
          double sum = start[static_cast<size_t>(out)];
          for (int64_t r = 0; r < kh; ++r) {
            for (int64_t s = 0; s < kw; ++s) {
              const int64_t y = i * options.stride - top + r, xx = j * options.stride - left + s;
              if (y < 0 || y >= h || xx < 0 || xx >= w) continue;
              for (int64_t p = 0; p < k; ++p) {
                sum += in[static_cast<size_t>(((image * h + y) * w + xx) * c + group * k + p)] *
                       filter[static_cast<size_t>(((out * k + p) * kh + r) * kw + s)];
              }
            }
          }
          z.push_back(sum);
        }
      }
    }
  }
  return z;
}

}  // namespace ghost::test
