// bfloat16 and float16 maps on the CPU: an op widens what it reads into scratch tensors, runs its float32 code and
// rounds what it writes. So values are rounded where they are stored, as on CUDA, and sums are float32; it is for tests
// and trials, not for speed.
#pragma once

#include <utility>
#include <vector>

#include "core/tensor_ops.h"
#include "kernels/conv2d.h"
#include "kernels/feature.h"

namespace ghost::cpu {

class Widened {
 public:
  Widened() = default;
  Widened(const Widened&) = delete;
  Widened& operator=(const Widened&) = delete;
  ~Widened() {
    for (const auto& [wide, half] : written_) tensor_convert(wide, half);
  }

  // What is not half is handed through.
  static Tensor read(const Tensor& tensor) { return tensor.to(sum_type(tensor.dtype())); }
  static RawGradient read(const RawGradient& gradient) {
    return {read(gradient.dy), read(gradient.z), gradient.epilogue, gradient.coefficients};
  }
  // A tensor that is rounded into `half` when this goes out of scope. update: that holds its values to begin with.
  Tensor write(const Tensor& half, bool update = false) {
    if (!is_half(half.dtype())) return half;
    const Tensor wide = update ? read(half) : Tensor(half.shape(), half.sum_options());
    if (!half.empty()) written_.emplace_back(wide, half);
    return wide;
  }
  // A convolution's gradients, of which only dx can be half; valid while this lives.
  Conv2dGradients write(const Conv2dGradients& gradients) {
    Conv2dGradients wide = gradients;
    if (gradients.dx) {
      dx_ = write(*gradients.dx, gradients.accumulate_dx);
      wide.dx = &dx_;
    }
    return wide;
  }

 private:
  Tensor dx_;
  std::vector<std::pair<Tensor, Tensor>> written_;
};

}  // namespace ghost::cpu
