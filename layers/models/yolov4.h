// The YOLOv4 body with depthwise separable convolutions and ReLU6, names of bubbliiiing's PyTorch modules.
#pragma once

#include <memory>
#include <vector>

#include "layers/models/backbone.h"
#include "layers/models/detector.h"
#include "layers/models/separable_conv.h"

namespace ghost {

// 1x1 to `narrow`, separable to `wide`, 1x1 to `narrow`, ...: `count` of them, three or five.
class ConvChain : public Module {
 public:
  ConvChain(int64_t in_channels, int64_t narrow, int64_t wide, int count, const FlavourNumbers& flavour);
  std::string kind() const override { return "conv chain"; }
  // slot: where the last one writes.
  Feature forward(Feature x, const FeatureSlot* slot = nullptr);

 private:
  std::vector<std::unique_ptr<ConvBatchNorm>> convs_;
  std::vector<std::unique_ptr<SeparableConv>> separables_;
};

// A separable convolution and the 1x1 convolution, with bias, that gives a level's predictions.
class YoloHead : public Module {
 public:
  YoloHead(int64_t in_channels, int64_t wide, int64_t outputs, const FlavourNumbers& flavour);
  std::string kind() const override { return "yolo head"; }
  Variable forward(const Feature& x);
  // Biases of the objectness outputs, one of `outputs_per_anchor` each.
  void set_objectness_bias(int64_t outputs_per_anchor, double bias);

 private:
  SeparableConv conv_;
  Conv2d out_;
};

class Yolov4 : public Detector {
 public:
  Yolov4(const DetectorOptions& options, std::unique_ptr<Backbone> backbone, double neck_width);
  std::string kind() const override { return options_.name; }
  const DetectorOptions& options() const override { return options_; }
  std::vector<Variable> forward(const Variable& images) override;
  void freeze_backbone(bool on) override { backbone_->freeze(on); }
  void initialise();

 private:
  // Channels of the neck: 128, 256, 512 and 1024 times its width, cut. conv1, conv2 and the heads widen to the next
  // level's width, the others to twice their own: 665 and 664 at a width of 1.3.
  struct Plan {
    int64_t p3, p4, p5, p6;
    int64_t outputs;  // channels of a map
    FlavourNumbers flavour;
  };
  static Plan plan_of(const DetectorOptions& options, double neck_width);
  Yolov4(const DetectorOptions& options, std::unique_ptr<Backbone> backbone, const Plan& plan);

  DetectorOptions options_;
  Plan plan_;
  std::unique_ptr<Backbone> backbone_;
  ConvChain conv1_, conv2_;
  ConvBatchNorm upsample1_, conv_for_p4_;
  ConvChain five1_;
  ConvBatchNorm upsample2_, conv_for_p3_;
  ConvChain five2_;
  YoloHead head3_;
  SeparableConv down1_;
  ConvChain five3_;
  YoloHead head2_;
  SeparableConv down2_;
  ConvChain five4_;
  YoloHead head1_;
};

}  // namespace ghost
