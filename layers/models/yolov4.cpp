#include "layers/models/yolov4.h"

#include <cmath>

#include "kernels/convert.h"
#include "kernels/ghost_concat.h"
#include "kernels/pyramid_pool.h"
#include "kernels/upsample.h"
#include "kernels/yolo_maps.h"
#include "layers/initialise.h"
#include "layers/layer_scope.h"

namespace ghost {
namespace {

constexpr std::string_view kSuffix = "-yolov4";  // of a detector's name

constexpr int64_t kOutputsPerBox = 5;  // x, y, w, h, objectness; then the classes
// First objectness: almost all anchors see nothing, and a loss that begins with that knows little else for long.
constexpr double kFirstObjectness = 0.01;

// A buffer for two parts of the same width, of a map of `like`'s size times `scale`.
FeatureBuffer pair_buffer(const Feature& like, int64_t scale_up, int64_t channels) {
  const Shape& shape = like.shape();
  return {{shape[0], shape[1] * scale_up, shape[2] * scale_up, 2 * channels}, like.raw.value().options()};
}

// New memory for a map of x's size, with scale and shift in `enlarged`: where its enlargement will lie.
FeatureSlot before_enlarging(const Feature& x, const FeatureSlot& enlarged) {
  const Shape& shape = x.shape();
  return {Tensor({shape[0], shape[1], shape[2], enlarged.z.channels()}, x.raw.value().options()), enlarged.scale,
          enlarged.shift};
}

}  // namespace

ConvChain::ConvChain(int64_t in_channels, int64_t narrow, int64_t wide, int count, const FlavourNumbers& flavour) {
  for (int i = 0; i < count; ++i) {
    if (i % 2 == 0) {
      convs_.push_back(
          std::make_unique<ConvBatchNorm>("conv", "bn", pointwise(i == 0 ? in_channels : wide, narrow), flavour.norm));
      register_child(std::to_string(i), *convs_.back());
    } else {
      separables_.push_back(std::make_unique<SeparableConv>(narrow, wide, 1, flavour));
      register_child(std::to_string(i), *separables_.back());
    }
  }
}

Feature ConvChain::forward(Feature x, const FeatureSlot* slot) {
  return in_module(*this, [&] {
    for (size_t i = 0; i < separables_.size(); ++i) x = separables_[i]->forward(convs_[i]->forward(x));
    return convs_.back()->forward(x, slot);
  });
}

YoloHead::YoloHead(int64_t in_channels, int64_t wide, int64_t outputs, const FlavourNumbers& flavour)
    : conv_(in_channels, wide, 1, flavour), out_({.in_channels = wide, .out_channels = outputs, .bias = true}) {
  register_child("0", conv_);
  register_child("1", out_);
}

Variable YoloHead::forward(const Feature& x) {
  return in_module(*this, [&] { return widen(materialize(out_.forward(conv_.forward(x)))); });
}

void YoloHead::set_objectness_bias(int64_t outputs_per_anchor, double bias) {
  const Tensor& biases = out_.bias().value();
  for (int64_t i = 4; i < biases.numel(); i += outputs_per_anchor) biases.data<float>()[i] = static_cast<float>(bias);
}

Yolov4::Plan Yolov4::plan_of(const DetectorOptions& options, double neck_width) {
  const auto width = [&](int channels) { return static_cast<int64_t>(channels * neck_width); };
  return {.p3 = width(128),
          .p4 = width(256),
          .p5 = width(512),
          .p6 = width(1024),
          .outputs = kYoloAnchors * (kOutputsPerBox + options.num_classes),
          .flavour = numbers_of(options.flavour)};
}

Yolov4::Yolov4(const DetectorOptions& options, std::unique_ptr<Backbone> backbone, double neck_width)
    : Yolov4(options, std::move(backbone), plan_of(options, neck_width)) {}

Yolov4::Yolov4(const DetectorOptions& options, std::unique_ptr<Backbone> backbone, const Plan& p)
    : options_(options),
      plan_(p),
      backbone_(std::move(backbone)),
      conv1_(backbone_->channels()[2], p.p5, p.p6, 3, p.flavour),
      conv2_(4 * p.p5, p.p5, p.p6, 3, p.flavour),
      upsample1_("conv", "bn", pointwise(p.p5, p.p4), p.flavour.norm),
      conv_for_p4_("conv", "bn", pointwise(backbone_->channels()[1], p.p4), p.flavour.norm),
      five1_(2 * p.p4, p.p4, 2 * p.p4, 5, p.flavour),
      upsample2_("conv", "bn", pointwise(p.p4, p.p3), p.flavour.norm),
      conv_for_p3_("conv", "bn", pointwise(backbone_->channels()[0], p.p3), p.flavour.norm),
      five2_(2 * p.p3, p.p3, 2 * p.p3, 5, p.flavour),
      head3_(p.p3, p.p4, p.outputs, p.flavour),
      down1_(p.p3, p.p4, 2, p.flavour),
      five3_(2 * p.p4, p.p4, 2 * p.p4, 5, p.flavour),
      head2_(p.p4, p.p5, p.outputs, p.flavour),
      down2_(p.p4, p.p5, 2, p.flavour),
      five4_(2 * p.p5, p.p5, 2 * p.p5, 5, p.flavour),
      head1_(p.p5, p.p6, p.outputs, p.flavour) {
  register_child("backbone.model", *backbone_);
  register_child("conv1", conv1_);
  register_child("conv2", conv2_);
  register_child("upsample1.upsample.0", upsample1_);
  register_child("conv_for_P4", conv_for_p4_);
  register_child("make_five_conv1", five1_);
  register_child("upsample2.upsample.0", upsample2_);
  register_child("conv_for_P3", conv_for_p3_);
  register_child("make_five_conv2", five2_);
  register_child("yolo_head3", head3_);
  register_child("down_sample1", down1_);
  register_child("make_five_conv3", five3_);
  register_child("yolo_head2", head2_);
  register_child("down_sample2", down2_);
  register_child("make_five_conv4", five4_);
  register_child("yolo_head1", head1_);
}

void Yolov4::initialise() {
  ghost::initialise(*this, Initialiser::kNormal002, options_.seed);
  ghost::initialise(*backbone_,
                    options_.flavour == Flavour::kTorch ? Initialiser::kKaimingFanOut : Initialiser::kNormal002,
                    options_.seed);
  const double bias = std::log(kFirstObjectness / (1 - kFirstObjectness));
  for (YoloHead* head : {&head1_, &head2_, &head3_})
    head->set_objectness_bias(kOutputsPerBox + options_.num_classes, bias);
}

// Every concat's parts are written side by side: the buffer of a pair exists before its first part, which may be
// made long before the second.
std::vector<Variable> Yolov4::forward(const Variable& images) {
  check_images(*this, images, options_.in_channels);
  GHOST_CHECK(images.dim(1) % 32 == 0 && images.dim(2) % 32 == 0,
              "a detector's input must be a multiple of 32 high "
              "and wide, got ",
              images.dim(1), "x", images.dim(2));
  const std::vector<Feature> taps = backbone_->features(images);
  const int64_t c3 = plan_.p3, c4 = plan_.p4, c5 = plan_.p5;

  const Feature narrow5 = conv1_.forward(taps[2]);
  const FeatureBuffer down5 = pair_buffer(narrow5, 1, c5);  // [down2, p5]
  const FeatureSlot p5_slot = down5.slot(c5, c5);
  const Feature p5 = conv2_.forward(pyramid_pool(narrow5, {13, 9, 5}), &p5_slot);

  const FeatureBuffer up4 = pair_buffer(p5, 2, c4);  // [conv_for_P4, p5 enlarged]
  const FeatureSlot up4_first = up4.slot(0, c4), up4_second = up4.slot(c4, c4);
  const FeatureSlot small5 = before_enlarging(p5, up4_second);
  const Feature lateral5 = upsample1_.forward(p5, &small5);
  const Feature own4 = conv_for_p4_.forward(taps[1], &up4_first);
  const FeatureBuffer down4 = pair_buffer(own4, 1, c4);  // [down1, p4]
  const FeatureSlot p4_slot = down4.slot(c4, c4);
  const Feature p4 = five1_.forward(up4.join({own4, upsample2x(lateral5, &up4_second)}), &p4_slot);

  const FeatureBuffer up3 = pair_buffer(p4, 2, c3);  // [conv_for_P3, p4 enlarged]
  const FeatureSlot up3_first = up3.slot(0, c3), up3_second = up3.slot(c3, c3);
  const FeatureSlot small4 = before_enlarging(p4, up3_second);
  const Feature lateral4 = upsample2_.forward(p4, &small4);
  const Feature own3 = conv_for_p3_.forward(taps[0], &up3_first);
  const Feature p3 = five2_.forward(up3.join({own3, upsample2x(lateral4, &up3_second)}));
  const Variable out3 = head3_.forward(p3);

  const FeatureSlot down4_slot = down4.slot(0, c4), down5_slot = down5.slot(0, c5);
  const Feature mixed4 = five3_.forward(down4.join({down1_.forward(p3, &down4_slot), p4}));
  const Variable out2 = head2_.forward(mixed4);
  const Feature mixed5 = five4_.forward(down5.join({down2_.forward(mixed4, &down5_slot), p5}));
  return {head1_.forward(mixed5), out2, out3};
}

std::unique_ptr<Detector> make_detector(const DetectorOptions& options) {
  const std::vector<std::string> names = detector_names();
  GHOST_CHECK(std::find(names.begin(), names.end(), options.name) != names.end(), "unknown detector '", options.name,
              "'; there is ", joined(names));
  GHOST_CHECK(options.num_classes >= 1, "detector: num_classes ", options.num_classes, " must be at least 1");
  const std::string backbone = options.name.substr(0, options.name.size() - kSuffix.size());
  const double neck_width = backbone == "ghostnet" ? 1.0 : options.width;
  auto detector = std::make_unique<Yolov4>(
      options, make_backbone(backbone, {options.width, options.in_channels, options.flavour}), neck_width);
  detector->initialise();
  return detector;
}

std::vector<std::string> detector_names() {
  std::vector<std::string> names;
  for (const std::string& name : model_names()) names.push_back(str(name, kSuffix));
  return names;
}

bool names_detector(std::string_view model) { return model.ends_with(kSuffix); }

std::vector<LayerRecord> trace_layers(Detector& detector, int64_t size) {
  return trace_layers(detector, size, detector.options().in_channels,
                      [&](const Variable& images) { detector.forward(images); });
}

}  // namespace ghost
