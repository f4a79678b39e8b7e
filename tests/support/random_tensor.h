// Tensors for tests: random ones, and channel views inside a guarded buffer.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"
#include "kernels/activation_functors.h"
#include "kernels/batch_norm.h"

namespace ghost::test {

inline constexpr TensorOptions kFloat64{DType::kFloat64, Device()}, kFloat32{DType::kFloat32, Device()};

inline constexpr Activation kActivations[] = {Activation::kNone,
                                              Activation::kRelu,
                                              Activation::kRelu6,
                                              Activation::kLeakyRelu,
                                              Activation::kSigmoid,
                                              Activation::kHardSigmoid,
                                              Activation::kHardSigmoidKeras,
                                              Activation::kHardSwish,
                                              Activation::kSwish,
                                              Activation::kMish};

// Uniform in [low, high), the same for every dtype and device: the values are exact in float32. Draws within 1e-2 of a
// value in `avoid` are drawn again: there a gradient check would straddle a kink.
Tensor random_tensor(const Shape& shape, const TensorOptions& options, uint64_t seed, double low = -1, double high = 1,
                     const std::vector<double>& avoid = {});

// These parameters with running statistics at random.
BatchNormState random_batch_norm_state(const Variable& gamma, const Variable& beta);

// A tensor as a channel view: `before` channels lie left of it and `after` right of it in a buffer filled with a
// sentinel.
class GuardedTensor {
 public:
  GuardedTensor(const Shape& shape, const TensorOptions& options, int64_t before = 3, int64_t after = 5);
  // The same with the elements of `values`.
  explicit GuardedTensor(const Tensor& values, int64_t before = 3, int64_t after = 5);

  const Tensor& view() const { return view_; }
  // Fails the test where an op wrote outside the view.
  void expect_guard_untouched(const char* what) const;

 private:
  Tensor whole_, view_;
  int64_t before_;
};

}  // namespace ghost::test
