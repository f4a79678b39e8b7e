// What the depthwise kernels share. The fast ones (3x3 and 5x5, stride 1 and 2, four channels a thread) work on strips
// of kStrip neighbouring pixels of a row: of z in the forward pass and the weight gradient, of dx in the input
// gradient. Whatever else there is (kernel sizes, strides, multipliers, odd channel counts) goes to plain kernels, a
// thread for each output element.
#pragma once

#include "kernels/cuda_epilogue.h"
#include "kernels/cuda_reduce.h"
#include "kernels/depthwise_conv2d.h"

namespace ghost::cuda {

constexpr int kStrip = 4;
constexpr int kLanes = 4;  // channels of a thread in the fast kernels

struct DepthwiseSize {
  int images, in_h, in_w, out_h, out_w;
  int kernel_h, kernel_w, stride, pad_top, pad_left;
  int64_t channels;    // of z
  int64_t multiplier;  // channels of z for each of x
};

inline DepthwiseSize depthwise_size(const Tensor& x, const Tensor& weight, const Conv2dProblem& problem,
                                    const Tensor& z) {
  GHOST_CHECK(x.pixels() < (int64_t{1} << 31) && z.pixels() < (int64_t{1} << 31), "depthwise_conv2d: input ", x.shape(),
              " has more pixels than CUDA code counts (2^31). Take a smaller batch");
  const auto dim = [](const Tensor& tensor, int axis) { return static_cast<int>(tensor.dim(axis)); };
  return {dim(x, 0),           dim(x, 1),
          dim(x, 2),           dim(z, 1),
          dim(z, 2),           dim(weight, 2),
          dim(weight, 3),      problem.stride,
          problem.padding.top, problem.padding.left,
          z.channels(),        z.channels() / x.channels()};
}

template <int I>
using Constant = std::integral_constant<int, I>;

// Calls visit with kernel size and stride as constants where there is a fast kernel for them; false where there is
// none.
template <class Visit>
bool visit_fast_depthwise(const DepthwiseSize& size, bool vectors, const Visit& visit) {
  if (!vectors || size.multiplier != 1 || size.kernel_h != size.kernel_w) return false;
  const auto is = [&](int kernel, int stride) { return size.kernel_h == kernel && size.stride == stride; };
  if (is(3, 1)) return visit(Constant<3>{}, Constant<1>{}), true;
  if (is(3, 2)) return visit(Constant<3>{}, Constant<2>{}), true;
  if (is(5, 1)) return visit(Constant<5>{}, Constant<1>{}), true;
  if (is(5, 2)) return visit(Constant<5>{}, Constant<2>{}), true;
  return false;
}

// Weights {c, K, K} of the block's channels to shared memory as [tap][channel]; 0 beyond the last channel.
template <int Taps>
__device__ inline void load_weights(const float* weight, int64_t channels, float* shared) {
  const int width = blockDim.x * kLanes, threads = blockDim.x * blockDim.y;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * width;
  for (int i = threadIdx.y * blockDim.x + threadIdx.x; i < width * Taps; i += threads) {
    const int channel = i / Taps, tap = i % Taps;
    shared[tap * width + channel] = first + channel < channels ? weight[(first + channel) * Taps + tap] : 0.0f;
  }
  __syncthreads();
}

// A strip of pixels in a map of `per_row` strips a row.
struct Strip {
  int n, row, column;  // column: of the strip's first pixel
};
__device__ inline Strip strip_at(unsigned index, unsigned per_row, unsigned rows) {
  const unsigned line = index / per_row;
  return {static_cast<int>(line / rows), static_cast<int>(line % rows), static_cast<int>(index % per_row) * kStrip};
}

__device__ inline void multiply_add(Pack<kLanes>& sum, const Pack<kLanes>& a, const Pack<kLanes>& b) {
  GHOST_UNROLL
  for (int i = 0; i < kLanes; ++i) sum.v[i] += a.v[i] * b.v[i];
}

}  // namespace ghost::cuda
