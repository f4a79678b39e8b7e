// 3x3 depthwise and 1x1 convolution, batch norm and ReLU6 after each: "0", "1", "3", "4" of a PyTorch Sequential.
#pragma once

#include "layers/ghost_module.h"

namespace ghost {

// A 1x1 convolution before batch norm and ReLU6.
Conv2dLayerOptions pointwise(int64_t in_channels, int64_t out_channels);

class SeparableConv : public Module {
 public:
  SeparableConv(int64_t in_channels, int64_t out_channels, int stride, const FlavourNumbers& flavour);
  std::string kind() const override { return "separable conv"; }
  Feature forward(const Feature& x, const FeatureSlot* slot = nullptr);

 private:
  ConvBatchNorm depthwise_, pointwise_;
};

}  // namespace ghost
