// The ghost module's concat and slice (Han et al., "GhostNet: More Features from Cheap Operations", CVPR 2020,
// section 3.1), and every other concat: the parts were written side by side into one buffer, so nothing is copied,
// forward or backward.
#pragma once

#include <vector>

#include "kernels/batch_norm.h"

namespace ghost {

// A buffer for a feature whose channels are written part by part.
class FeatureBuffer {
 public:
  // shape {n, h, w, c}: all parts together.
  FeatureBuffer(const Shape& shape, const TensorOptions& options);
  // Channels [begin, begin + count), to be given to conv2d_batch_norm.
  FeatureSlot slot(int64_t begin, int64_t count) const;
  // The parts side by side. They lie in this buffer in this order from channel 0 on, cover it without gap, and have the
  // same activation and no gate. Backward: each part gets its view of dy.
  Feature join(const std::vector<Feature>& parts) const;

 private:
  FeatureSlot whole_;
};

// Channels [begin, begin + count) of a feature: a view. Backward: dy goes into those channels of the gradient, others
// get 0.
Feature slice_channels(const Feature& x, int64_t begin, int64_t count);

}  // namespace ghost
