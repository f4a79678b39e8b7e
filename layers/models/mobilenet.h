// MobileNet v1, v2 and v3-large. Names follow the PyTorch modules of bubbliiiing's YOLOv4; v3's squeeze-excite weights
// are {r, c} there and {r, c, 1, 1} here (loading takes both).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "layers/models/backbone.h"
#include "layers/models/separable_conv.h"

namespace ghost {

// Howard et al., 2017: a stem and 13 separable convolutions. Channels are cut, int(c * width), not rounded.
class MobileNetV1Backbone : public Backbone {
 public:
  explicit MobileNetV1Backbone(const BackboneOptions& options);
  std::string kind() const override { return "mobilenetv1 backbone"; }
  std::vector<Feature> features(const Variable& images) override;
  std::array<int64_t, 3> channels() const override { return channels_; }

 private:
  std::unique_ptr<ConvBatchNorm> stem_;
  std::vector<std::unique_ptr<SeparableConv>> blocks_;
  std::array<int64_t, 3> channels_{};
};

struct InvertedResidualOptions {
  int64_t in_channels = 0, hidden_channels = 0, out_channels = 0;
  int kernel_size = 3, stride = 1;
  bool squeeze_excite = false;
  Activation activation = Activation::kRelu6;
  bool version3 = false;  // names, and squeeze-excite, as v3 has them
};

// 1x1 to hidden (not where hidden = in), depthwise, [squeeze-excite], 1x1 linear; plus x where the shapes agree
// (Sandler et al., 2018). Squeeze-excite stands before the activation in the torch flavour, after it in keras and in
// blocks that do not expand.
class InvertedResidual : public Module {
 public:
  InvertedResidual(const InvertedResidualOptions& options, Flavour flavour, const FlavourNumbers& numbers);
  std::string kind() const override { return "inverted residual"; }
  Feature forward(const Feature& x);

 private:
  bool residual_, gate_first_;
  Activation activation_;
  std::unique_ptr<ConvBatchNorm> expand_, depthwise_, project_;
  std::unique_ptr<SqueezeExcite> se_;
};

// Sandler et al., 2018 (v2) and Howard et al., 2019 (v3-large).
class InvertedResidualBackbone : public Backbone {
 public:
  InvertedResidualBackbone(int version, const BackboneOptions& options);
  std::string kind() const override { return version_ == 2 ? "mobilenetv2 backbone" : "mobilenetv3 backbone"; }
  std::vector<Feature> features(const Variable& images) override;
  std::array<int64_t, 3> channels() const override { return channels_; }

 private:
  int version_;
  std::unique_ptr<ConvBatchNorm> stem_;
  std::vector<std::unique_ptr<InvertedResidual>> blocks_;
  std::vector<size_t> taps_;
  std::array<int64_t, 3> channels_{};
};

// "mobilenetv1", "mobilenetv2", "mobilenetv3".
class MobileNet : public Classifier {
 public:
  explicit MobileNet(const ModelOptions& options);
  std::string kind() const override { return options().name; }
  Variable forward(const Variable& images, const DropoutDraw& draw = {}) override;

 private:
  std::unique_ptr<Backbone> backbone_;
  std::unique_ptr<ConvBatchNorm> last_conv_;  // v2, v3
  std::unique_ptr<Conv2d> hidden_;            // v3: a linear layer as a 1x1 convolution
  std::unique_ptr<Linear> classifier_;
};

}  // namespace ghost
