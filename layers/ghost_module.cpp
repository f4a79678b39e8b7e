#include "layers/ghost_module.h"

#include "kernels/add.h"
#include "kernels/ghost_concat.h"
#include "layers/layer_scope.h"

namespace ghost {
namespace {

int64_t primary_channels(const GhostModuleOptions& options) {
  GHOST_CHECK(options.ratio >= 2, "ghost module: ratio ", options.ratio,
              " leaves nothing to the cheap operation; use 2 or more");
  return (options.out_channels + options.ratio - 1) / options.ratio;
}

Conv2dLayerOptions primary_options(const GhostModuleOptions& options, const FlavourNumbers& flavour) {
  return {.in_channels = options.in_channels,
          .out_channels = primary_channels(options),
          .kernel_size = options.kernel_size,
          .padding = flavour.padding,
          .activation = options.activation};
}

Conv2dLayerOptions cheap_options(const GhostModuleOptions& options, const FlavourNumbers& flavour) {
  const int64_t primary = primary_channels(options);
  return {.in_channels = primary,
          .out_channels = primary * (options.ratio - 1),
          .kernel_size = options.cheap_kernel_size,
          .groups = static_cast<int>(primary),
          .padding = flavour.padding,
          .activation = options.activation};
}

Conv2dLayerOptions depthwise_options(int64_t channels, const GhostBottleneckOptions& options,
                                     const FlavourNumbers& flavour) {
  return {.in_channels = channels,
          .out_channels = channels,
          .kernel_size = options.kernel_size,
          .stride = options.stride,
          .groups = static_cast<int>(channels),
          .padding = flavour.padding};
}

}  // namespace

GhostModule::GhostModule(const GhostModuleOptions& options, const FlavourNumbers& flavour)
    : out_channels_(options.out_channels),
      primary_channels_(primary_channels(options)),
      cheap_channels_(primary_channels_ * (options.ratio - 1)),
      primary_conv_("0", "1", primary_options(options, flavour), flavour.norm),
      cheap_operation_("0", "1", cheap_options(options, flavour), flavour.norm) {
  register_child("primary_conv", primary_conv_);
  register_child("cheap_operation", cheap_operation_);
}

Feature GhostModule::forward(const Feature& x) {
  return in_module(*this, [&] {
    Shape shape = primary_conv_.output_shape(x.shape());
    const int64_t channels = primary_channels_ + cheap_channels_;
    shape.set(-1, channels);
    const FeatureBuffer buffer(shape, x.raw.value().options());
    const FeatureSlot primary_slot = buffer.slot(0, primary_channels_);
    const FeatureSlot cheap_slot = buffer.slot(primary_channels_, cheap_channels_);
    const Feature primary = primary_conv_.forward(x, &primary_slot);
    const Feature cheap = cheap_operation_.forward(primary, &cheap_slot);
    const Feature joined = buffer.join({primary, cheap});
    return channels == out_channels_ ? joined : slice_channels(joined, 0, out_channels_);
  });
}

GhostBottleneck::GhostBottleneck(const GhostBottleneckOptions& options, const FlavourNumbers& flavour)
    : ghost1_({.in_channels = options.in_channels, .out_channels = options.hidden_channels}, flavour),
      ghost2_({.in_channels = options.hidden_channels,
               .out_channels = options.out_channels,
               .activation = Activation::kNone},
              flavour) {
  register_child("ghost1", ghost1_);
  if (options.stride > 1) {
    conv_dw_.emplace("conv_dw", "bn_dw", depthwise_options(options.hidden_channels, options, flavour), flavour.norm);
    register_child("", *conv_dw_);
  }
  if (options.reduced_channels > 0) {
    se_.emplace(options.hidden_channels, options.reduced_channels, flavour.gate);
    register_child("se", *se_);
  }
  register_child("ghost2", ghost2_);
  if (options.stride == 1 && options.in_channels == options.out_channels) return;
  shortcut_dw_.emplace("shortcut.0", "shortcut.1", depthwise_options(options.in_channels, options, flavour),
                       flavour.norm);
  register_child("", *shortcut_dw_);
  shortcut_conv_.emplace(
      "shortcut.2", "shortcut.3",
      Conv2dLayerOptions{
          .in_channels = options.in_channels, .out_channels = options.out_channels, .padding = flavour.padding},
      flavour.norm);
  register_child("", *shortcut_conv_);
}

Feature GhostBottleneck::shortcut(const Feature& x) {
  return shortcut_dw_ ? shortcut_conv_->forward(shortcut_dw_->forward(x)) : x;
}

Variable GhostBottleneck::forward(const Feature& x) {
  return in_module(*this, [&] {
    Feature y = ghost1_.forward(x);
    if (conv_dw_) y = conv_dw_->forward(y);
    if (se_) y = se_->forward(y);
    y = ghost2_.forward(y);
    return add(y, shortcut(x));
  });
}

}  // namespace ghost
