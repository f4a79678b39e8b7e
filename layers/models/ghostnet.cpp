#include "layers/models/ghostnet.h"

#include "kernels/dropout.h"
#include "kernels/pool.h"
#include "layers/layer_scope.h"

namespace ghost {
namespace {

constexpr int64_t kGhostDivisor = 4, kStemChannels = 16, kLastChannels = 960;
constexpr int64_t kHeadChannels = 1280;  // not scaled by the width

struct Row {
  int stage, kernel_size, hidden, out;
  bool squeeze_excite;
  int stride;
};

// The paper's table 1; the number within its stage is a block's second index.
constexpr Row kRows[] = {
    {0, 3, 16, 16, false, 1},   {1, 3, 48, 24, false, 2},  {2, 3, 72, 24, false, 1},   {3, 5, 72, 40, true, 2},
    {4, 5, 120, 40, true, 1},   {5, 3, 240, 80, false, 2}, {6, 3, 200, 80, false, 1},  {6, 3, 184, 80, false, 1},
    {6, 3, 184, 80, false, 1},  {6, 3, 480, 112, true, 1}, {6, 3, 672, 112, true, 1},  {7, 5, 672, 160, true, 2},
    {8, 5, 960, 160, false, 1}, {8, 5, 960, 160, true, 1}, {8, 5, 960, 160, false, 1}, {8, 5, 960, 160, true, 1},
};
constexpr size_t kFeatureRows[] = {4, 10, 15};  // the last blocks at strides 8, 16 and 32

}  // namespace

GhostNetBackbone::GhostNetBackbone(const BackboneOptions& options) {
  const FlavourNumbers flavour = numbers_of(options.flavour);
  const auto scaled = [&](int64_t channels) {
    return make_divisible(static_cast<double>(channels) * options.width, kGhostDivisor);
  };
  int64_t channels = scaled(kStemChannels);
  stem_ = std::make_unique<ConvBatchNorm>("conv_stem", "bn1",
                                          Conv2dLayerOptions{.in_channels = options.in_channels,
                                                             .out_channels = channels,
                                                             .kernel_size = 3,
                                                             .stride = 2,
                                                             .padding = flavour.padding,
                                                             .activation = Activation::kRelu},
                                          flavour.norm);
  register_child("", *stem_);
  int stage = -1, place = 0;
  size_t tap = 0;
  for (size_t i = 0; i < std::size(kRows); ++i) {
    const Row& row = kRows[i];
    place = row.stage == stage ? place + 1 : 0;
    stage = row.stage;
    const int64_t hidden = scaled(row.hidden), out = scaled(row.out);
    add_block(
        stage, place,
        {.in_channels = channels,
         .hidden_channels = hidden,
         .out_channels = out,
         .kernel_size = row.kernel_size,
         .stride = row.stride,
         .reduced_channels = row.squeeze_excite ? make_divisible(static_cast<double>(hidden) / 4, kGhostDivisor) : 0},
        flavour);
    channels = out;
    if (tap < std::size(kFeatureRows) && i == kFeatureRows[tap]) channels_[tap++] = out;
  }
}

void GhostNetBackbone::add_block(int stage, int place, const GhostBottleneckOptions& options,
                                 const FlavourNumbers& flavour) {
  blocks_.push_back(std::make_unique<GhostBottleneck>(options, flavour));
  register_child(str("blocks.", stage, '.', place), *blocks_.back());
}

std::vector<Feature> GhostNetBackbone::features(const Variable& images) {
  std::vector<Feature> taps;
  Feature x = stem_->forward(images);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    x = blocks_[i]->forward(x);
    if (i == kFeatureRows[taps.size()]) taps.push_back(x);
  }
  return taps;
}

GhostNet::GhostNet(const ModelOptions& options)
    : Classifier(options), backbone_({options.width, options.in_channels, options.flavour}) {
  const FlavourNumbers flavour = numbers_of(options.flavour);
  register_child("", backbone_);
  const int64_t last = make_divisible(static_cast<double>(kLastChannels) * options.width, kGhostDivisor);
  last_conv_ = std::make_unique<ConvBatchNorm>("conv", "bn1",
                                               Conv2dLayerOptions{.in_channels = backbone_.channels().back(),
                                                                  .out_channels = last,
                                                                  .padding = flavour.padding,
                                                                  .activation = Activation::kRelu},
                                               flavour.norm);
  register_child("blocks.9.0", *last_conv_);
  conv_head_ = std::make_unique<Conv2d>(Conv2dLayerOptions{
      .in_channels = last, .out_channels = kHeadChannels, .bias = true, .activation = Activation::kRelu});
  register_child("conv_head", *conv_head_);
  classifier_ = std::make_unique<Linear>(kHeadChannels, options.num_classes);
  register_child("classifier", *classifier_);
}

Variable GhostNet::forward(const Variable& images, const DropoutDraw& draw) {
  check_images(images);
  const Feature map = last_conv_->forward(backbone_.features(images).back());
  Feature pooled = conv_head_->forward(global_average_pool(map));
  if (training() && options().dropout > 0)
    pooled = dropout(materialize(pooled),
                     {.p = options().dropout, .seed = draw.seed, .stream = draw.stream, .stream_at = draw.stream_at});
  return classifier_->forward(pooled);
}

}  // namespace ghost
