// The ghost module and the ghost bottleneck (Han et al., "GhostNet: More Features from Cheap Operations", CVPR 2020,
// sections 3.1 and 3.2), with the names of timm's ghostnet.
#pragma once

#include <optional>

#include "layers/conv.h"
#include "layers/squeeze_excite.h"

namespace ghost {

// The numbers in which frameworks differ; see Flavour in layers/models/model.h.
struct FlavourNumbers {
  PaddingMode padding = PaddingMode::kSymmetric;
  Activation gate = Activation::kHardSigmoid;
  NormOptions norm;
};

struct GhostModuleOptions {
  int64_t in_channels = 0, out_channels = 0;
  int kernel_size = 1;        // of the primary convolution
  int ratio = 2;              // >= 2: one part of ratio is convolved, the others are made by the cheap operation
  int cheap_kernel_size = 3;  // of the depthwise cheap operation
  Activation activation = Activation::kRelu;
};

// x -> [primary(x), cheap(primary(x))], cut to out_channels. Both parts are written side by side into one buffer.
// ceil(out / ratio) primary channels; a cut happens only where ratio does not divide out_channels.
class GhostModule : public Module {
 public:
  GhostModule(const GhostModuleOptions& options, const FlavourNumbers& flavour);
  std::string kind() const override { return "ghost module"; }
  Feature forward(const Feature& x);

 private:
  int64_t out_channels_, primary_channels_, cheap_channels_;
  ConvBatchNorm primary_conv_, cheap_operation_;
};

struct GhostBottleneckOptions {
  int64_t in_channels = 0, hidden_channels = 0, out_channels = 0;
  int kernel_size = 3;           // of the stride's and the shortcut's depthwise convolution
  int stride = 1;                // 1 or 2
  int64_t reduced_channels = 0;  // of squeeze-excite; 0: none
};

// ghost1 (relu) -> [depthwise stride] -> [squeeze-excite] -> ghost2 (linear), plus the shortcut; nothing after the sum.
class GhostBottleneck : public Module {
 public:
  GhostBottleneck(const GhostBottleneckOptions& options, const FlavourNumbers& flavour);
  std::string kind() const override { return "ghost bottleneck"; }
  Variable forward(const Feature& x);

 private:
  Feature shortcut(const Feature& x);

  GhostModule ghost1_;
  std::optional<ConvBatchNorm> conv_dw_;
  std::optional<SqueezeExcite> se_;
  GhostModule ghost2_;
  std::optional<ConvBatchNorm> shortcut_dw_, shortcut_conv_;
};

}  // namespace ghost
