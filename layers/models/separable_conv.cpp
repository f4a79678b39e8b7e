#include "layers/models/separable_conv.h"

#include "layers/layer_scope.h"

namespace ghost {
namespace {

Conv2dLayerOptions depthwise(int64_t channels, int stride, const FlavourNumbers& flavour) {
  return {.in_channels = channels,
          .out_channels = channels,
          .kernel_size = 3,
          .stride = stride,
          .groups = static_cast<int>(channels),
          .padding = flavour.padding,
          .activation = Activation::kRelu6};
}

}  // namespace

Conv2dLayerOptions pointwise(int64_t in_channels, int64_t out_channels) {
  return {.in_channels = in_channels, .out_channels = out_channels, .activation = Activation::kRelu6};
}

SeparableConv::SeparableConv(int64_t in_channels, int64_t out_channels, int stride, const FlavourNumbers& flavour)
    : depthwise_("0", "1", depthwise(in_channels, stride, flavour), flavour.norm),
      pointwise_("3", "4", pointwise(in_channels, out_channels), flavour.norm) {
  register_child("", depthwise_);
  register_child("", pointwise_);
}

Feature SeparableConv::forward(const Feature& x, const FeatureSlot* slot) {
  return in_module(*this, [&] { return pointwise_.forward(depthwise_.forward(x), slot); });
}

}  // namespace ghost
