// What the depthwise kernels share on the host. The fast ones (3x3 and 5x5, stride 1 and 2, four channels a thread)
// work on strips of kStrip neighbouring pixels of a row: of z in the forward pass and the weight gradient, of dx in the
// input gradient. Whatever else there is (kernel sizes, strides, multipliers, odd channel counts) goes to plain
// kernels, a thread for each output element.
#pragma once

#include <type_traits>

#include "kernels/depthwise_conv2d.h"
#include "kernels/map_grid.h"

namespace ghost {

constexpr int kStrip = 4;
constexpr int kLanes = 4;  // channels of a thread in the fast kernels
constexpr int kSumThreads = 256;
constexpr int64_t kStripsPerThread = 16;  // of the weight gradient, so that partial sums stay few

struct DepthwiseSize {
  int images, in_h, in_w, out_h, out_w;
  int kernel_h, kernel_w, stride, pad_top, pad_left;
  int64_t channels;    // of z
  int64_t multiplier;  // channels of z for each of x

  // Strips of z.
  int64_t strips() const { return static_cast<int64_t>(images) * out_h * ceil_div(out_w, kStrip); }
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

inline bool is_fast_depthwise(const DepthwiseSize& size, bool vectors) {
  return visit_fast_depthwise(size, vectors, [](auto, auto) {});
}

// What dx is added to; undefined: nothing.
inline Tensor addend_of(const Conv2dGradients& gradients) {
  if (!gradients.accumulate_dx) return {};
  return gradients.addend.defined() ? gradients.addend : *gradients.dx;
}

// Grid and block of the fast weight gradient; grid.y is the number of partial sums.
inline MapGrid depthwise_weight_grid(const DepthwiseSize& size) {
  GridSize block = map_block_size(size.channels / kLanes, size.strips(), kSumThreads / size.kernel_h, 32);
  const int64_t x_blocks = ceil_div(size.channels / kLanes, block.x);
  const unsigned parts = capped_blocks(ceil_div(size.strips(), block.y * kStripsPerThread), kMapBlocks / x_blocks);
  block.z = static_cast<unsigned>(size.kernel_h);
  return {{static_cast<unsigned>(x_blocks), parts}, block};
}

}  // namespace ghost
