#include "layers/models/mobilenet.h"

#include "kernels/activation.h"
#include "kernels/add.h"
#include "kernels/dropout.h"
#include "kernels/pool.h"
#include "layers/layer_scope.h"

namespace ghost {
namespace {

constexpr int64_t kMobileDivisor = 8;
constexpr double kHiddenV3 = 1280;

// t: expansion; c: channels; n: repeats; s: stride of the first.
struct RowV2 {
  int64_t t, c;
  int n, s;
};
constexpr RowV2 kRowsV2[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                             {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
constexpr size_t kTapsV2[] = {5, 12, 16};  // the last blocks of 32, 96 and 320 channels

struct RowV3 {
  int k;
  double t;
  int64_t c;
  bool se, hard_swish;
  int s;
};
constexpr RowV3 kRowsV3[] = {{3, 1, 16, false, false, 1},  {3, 4, 24, false, false, 2},  {3, 3, 24, false, false, 1},
                             {5, 3, 40, true, false, 2},   {5, 3, 40, true, false, 1},   {5, 3, 40, true, false, 1},
                             {3, 6, 80, false, true, 2},   {3, 2.5, 80, false, true, 1}, {3, 2.3, 80, false, true, 1},
                             {3, 2.3, 80, false, true, 1}, {3, 6, 112, true, true, 1},   {3, 6, 112, true, true, 1},
                             {5, 6, 160, true, true, 2},   {5, 6, 160, true, true, 1},   {5, 6, 160, true, true, 1}};
constexpr size_t kTapsV3[] = {5, 11, 14};  // 40, 112, 160

// Keras' MobileNetV2, and V3's stem, move their running statistics ten times slower than its other networks.
FlavourNumbers slow_numbers(Flavour flavour) {
  FlavourNumbers numbers = numbers_of(flavour);
  if (flavour == Flavour::kKeras) numbers.norm.momentum = 0.001;
  return numbers;
}

std::unique_ptr<ConvBatchNorm> stem(int64_t in_channels, int64_t channels, Activation activation,
                                    const FlavourNumbers& numbers) {
  return std::make_unique<ConvBatchNorm>("0", "1",
                                         Conv2dLayerOptions{.in_channels = in_channels,
                                                            .out_channels = channels,
                                                            .kernel_size = 3,
                                                            .stride = 2,
                                                            .padding = numbers.padding,
                                                            .activation = activation},
                                         numbers.norm);
}

}  // namespace

MobileNetV1Backbone::MobileNetV1Backbone(const BackboneOptions& options) {
  const FlavourNumbers numbers = numbers_of(options.flavour);
  const auto scaled = [&](int64_t channels) {
    return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(channels) * options.width));
  };
  int64_t channels = scaled(32);
  stem_ = stem(options.in_channels, channels, Activation::kRelu6, numbers);
  register_child("stage1.0", *stem_);
  const auto add = [&](const std::string& name, int64_t out, int stride) {
    blocks_.push_back(std::make_unique<SeparableConv>(channels, scaled(out), stride, numbers));
    register_child(name, *blocks_.back());
    channels = scaled(out);
  };
  add("stage1.1", 64, 1);
  add("stage1.2", 128, 2);
  add("stage1.3", 128, 1);
  add("stage1.4", 256, 2);
  add("stage1.5", 256, 1);
  for (int i = 0; i < 6; ++i) add(str("stage2.", i), 512, i == 0 ? 2 : 1);
  for (int i = 0; i < 2; ++i) add(str("stage3.", i), 1024, i == 0 ? 2 : 1);
  channels_ = {scaled(256), scaled(512), scaled(1024)};
}

std::vector<Feature> MobileNetV1Backbone::features(const Variable& images) {
  constexpr size_t kTaps[] = {4, 10, 12};
  std::vector<Feature> taps;
  Feature x = stem_->forward(images);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    x = blocks_[i]->forward(x);
    if (i == kTaps[taps.size()]) taps.push_back(x);
  }
  return taps;
}

InvertedResidual::InvertedResidual(const InvertedResidualOptions& o, Flavour flavour, const FlavourNumbers& numbers)
    : residual_(o.stride == 1 && o.in_channels == o.out_channels),
      gate_first_(flavour == Flavour::kTorch && o.hidden_channels != o.in_channels),
      activation_(o.activation) {
  const bool expands = o.hidden_channels != o.in_channels;
  const auto conv = [&](const std::string& conv_name, const std::string& norm_name, const Conv2dLayerOptions& options) {
    auto module = std::make_unique<ConvBatchNorm>(conv_name, norm_name, options, numbers.norm);
    register_child("", *module);
    return module;
  };
  // With an activation. v2 has a Sequential for convolution, batch norm and activation; in v3 all lie in one.
  const auto active = [&](int place, const Conv2dLayerOptions& options) {
    return o.version3 ? conv(str("conv.", 3 * place), str("conv.", 3 * place + 1), options)
                      : conv(str("conv.", place, ".0"), str("conv.", place, ".1"), options);
  };
  if (expands)
    expand_ = active(0, {.in_channels = o.in_channels, .out_channels = o.hidden_channels, .activation = o.activation});
  depthwise_ =
      active(expands ? 1 : 0, {.in_channels = o.hidden_channels,
                               .out_channels = o.hidden_channels,
                               .kernel_size = o.kernel_size,
                               .stride = o.stride,
                               .groups = static_cast<int>(o.hidden_channels),
                               .padding = numbers.padding,
                               .activation = o.squeeze_excite && gate_first_ ? Activation::kNone : o.activation});
  if (o.squeeze_excite) {
    const int64_t reduced = make_divisible(static_cast<double>(o.hidden_channels) / 4, kMobileDivisor);
    se_ = std::make_unique<SqueezeExcite>(o.hidden_channels, reduced, Activation::kHardSigmoid, "fc.0", "fc.2");
    register_child(expands ? "conv.5" : "conv.3", *se_);
  }
  // v3 keeps a place for squeeze-excite and for the activation, whichever comes first.
  const int place = o.version3 ? (expands ? 7 : 4) : (expands ? 2 : 1);
  project_ = conv(str("conv.", place), str("conv.", place + 1),
                  {.in_channels = o.hidden_channels, .out_channels = o.out_channels});
}

Feature InvertedResidual::forward(const Feature& x) {
  return in_module(*this, [&] {
    Feature y = depthwise_->forward(expand_ ? expand_->forward(x) : x);
    if (se_) {
      y = se_->forward(y);
      if (gate_first_) y = activate(materialize(y), activation_);
    }
    y = project_->forward(y);
    return residual_ ? Feature(add(x, y)) : y;
  });
}

InvertedResidualBackbone::InvertedResidualBackbone(int version, const BackboneOptions& options) : version_(version) {
  const FlavourNumbers numbers = version == 2 ? slow_numbers(options.flavour) : numbers_of(options.flavour);
  const auto scaled = [&](int64_t channels) {
    return make_divisible(static_cast<double>(channels) * options.width, kMobileDivisor);
  };
  int64_t channels = version == 2 ? scaled(32) : 16;
  stem_ = stem(options.in_channels, channels, version == 2 ? Activation::kRelu6 : Activation::kHardSwish,
               slow_numbers(options.flavour));
  register_child("features.0", *stem_);
  const auto add = [&](InvertedResidualOptions block) {
    block.in_channels = channels;
    blocks_.push_back(std::make_unique<InvertedResidual>(block, options.flavour, numbers));
    register_child(str("features.", blocks_.size()), *blocks_.back());
    channels = block.out_channels;
    if (taps_.size() < 3 && blocks_.size() - 1 == (version_ == 2 ? kTapsV2 : kTapsV3)[taps_.size()]) {
      channels_[taps_.size()] = channels;
      taps_.push_back(blocks_.size() - 1);
    }
  };
  if (version == 2) {
    for (const RowV2& row : kRowsV2)
      for (int i = 0; i < row.n; ++i)
        add({.hidden_channels = channels * row.t, .out_channels = scaled(row.c), .stride = i == 0 ? row.s : 1});
    return;
  }
  for (const RowV3& row : kRowsV3)
    add({.hidden_channels =
             row.t == 1 ? channels : make_divisible(static_cast<double>(channels) * row.t, kMobileDivisor),
         .out_channels = scaled(row.c),
         .kernel_size = row.k,
         .stride = row.s,
         .squeeze_excite = row.se,
         .activation = row.hard_swish ? Activation::kHardSwish : Activation::kRelu,
         .version3 = true});
}

std::vector<Feature> InvertedResidualBackbone::features(const Variable& images) {
  std::vector<Feature> taps;
  Feature x = stem_->forward(images);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    x = blocks_[i]->forward(x);
    if (i == taps_[taps.size()]) taps.push_back(x);
  }
  return taps;
}

MobileNet::MobileNet(const ModelOptions& options)
    : Classifier(options),
      backbone_(make_backbone(options.name, {options.width, options.in_channels, options.flavour})) {
  const bool version2 = options.name == "mobilenetv2";
  const FlavourNumbers numbers = version2 ? slow_numbers(options.flavour) : numbers_of(options.flavour);
  register_child("", *backbone_);
  int64_t channels = backbone_->channels().back();
  const auto last = [&](const std::string& name, int64_t out, Activation activation) {
    last_conv_ = std::make_unique<ConvBatchNorm>(
        "0", "1", Conv2dLayerOptions{.in_channels = channels, .out_channels = out, .activation = activation},
        numbers.norm);
    register_child(name, *last_conv_);
    channels = out;
  };
  std::string head = "fc";
  if (version2) {
    last("features.18", std::max<int64_t>(1280, make_divisible(1280 * options.width, kMobileDivisor)),
         Activation::kRelu6);
    head = "classifier.1";
  } else if (options.name == "mobilenetv3") {
    last("conv", 6 * channels, Activation::kHardSwish);  // as wide as the last block's inside
    const int64_t hidden = make_divisible(kHiddenV3 * std::max(1.0, options.width), kMobileDivisor);
    hidden_ = std::make_unique<Conv2d>(Conv2dLayerOptions{
        .in_channels = channels, .out_channels = hidden, .bias = true, .activation = Activation::kHardSwish});
    register_child("classifier.0", *hidden_);
    channels = hidden;
    head = "classifier.3";
  }
  classifier_ = std::make_unique<Linear>(channels, options.num_classes);
  register_child(head, *classifier_);
}

Variable MobileNet::forward(const Variable& images, const DropoutDraw& draw) {
  check_images(images);
  Feature x = backbone_->features(images).back();
  if (last_conv_) x = last_conv_->forward(x);
  x = global_average_pool(x);
  if (hidden_) x = hidden_->forward(x);
  if (training() && options().dropout > 0)
    x = dropout(materialize(x),
                {.p = options().dropout, .seed = draw.seed, .stream = draw.stream, .stream_at = draw.stream_at});
  return classifier_->forward(x);
}

}  // namespace ghost
