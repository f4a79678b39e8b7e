// GhostNet (Han et al., CVPR 2020, table 1), with the names and numbers of timm's ghostnet_100: 5,182,508 parameters
// and 141.15 M MACs at width 1.0, 224 x 224, 1000 classes.
#pragma once

#include <memory>
#include <vector>

#include "layers/models/backbone.h"

namespace ghost {

// The stem and blocks.0.0 to blocks.8.3.
class GhostNetBackbone : public Backbone {
 public:
  explicit GhostNetBackbone(const BackboneOptions& options);
  std::string kind() const override { return "ghostnet backbone"; }
  // The outputs of blocks.4.0, blocks.6.4 and blocks.8.3.
  std::vector<Feature> features(const Variable& images) override;
  std::array<int64_t, 3> channels() const override { return channels_; }

 private:
  void add_block(int stage, int place, const GhostBottleneckOptions& options, const FlavourNumbers& flavour);

  std::unique_ptr<ConvBatchNorm> stem_;
  std::vector<std::unique_ptr<GhostBottleneck>> blocks_;
  std::array<int64_t, 3> channels_{};
};

class GhostNet : public Classifier {
 public:
  explicit GhostNet(const ModelOptions& options);
  std::string kind() const override { return "ghostnet"; }
  Variable forward(const Variable& images, const DropoutDraw& draw = {}) override;

 private:
  GhostNetBackbone backbone_;
  std::unique_ptr<ConvBatchNorm> last_conv_;
  std::unique_ptr<Conv2d> conv_head_;
  std::unique_ptr<Linear> classifier_;
};

}  // namespace ghost
