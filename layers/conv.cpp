#include "layers/conv.h"

#include "kernels/linear.h"
#include "layers/layer_scope.h"

namespace ghost {
namespace {

Variable zero_parameter(const Shape& shape) { return Variable(Tensor::zeros(shape), true); }

void check_options(const Conv2dLayerOptions& options) {
  GHOST_CHECK(options.in_channels > 0 && options.out_channels > 0, "conv2d layer: in_channels ", options.in_channels,
              " and out_channels ", options.out_channels, " must be positive");
  GHOST_CHECK(options.kernel_size > 0 && options.stride > 0, "conv2d layer: kernel_size ", options.kernel_size,
              " and stride ", options.stride, " must be positive");
  GHOST_CHECK(
      options.groups > 0 && options.in_channels % options.groups == 0 && options.out_channels % options.groups == 0,
      "conv2d layer: groups ", options.groups, " must divide in_channels ", options.in_channels, " and out_channels ",
      options.out_channels);
}

}  // namespace

Conv2d::Conv2d(const Conv2dLayerOptions& options) : options_(options) {
  check_options(options);
  const int64_t k = options.kernel_size;
  weight_ = zero_parameter({options.out_channels, options.in_channels / options.groups, k, k});
  register_parameter("weight", weight_, ParameterKind::kConvWeight, options.out_channels * k * k / options.groups);
  if (!options.bias) return;
  bias_ = zero_parameter({options.out_channels});
  register_parameter("bias", bias_, ParameterKind::kBias);
}

std::string Conv2d::kind() const {
  const bool depthwise = options_.groups > 1 && options_.groups == options_.in_channels;
  std::string text = str(depthwise ? "depthwise " : "conv2d ", options_.kernel_size, 'x', options_.kernel_size);
  if (options_.stride > 1) text += str('/', options_.stride);
  if (options_.bias) text += " + bias";
  if (options_.activation != Activation::kNone) text += " + " + name_of(options_.activation);
  return text;
}

int64_t Conv2d::macs(const Shape& output) const {
  const Shape& weight = weight_.shape();
  return output.numel() * weight[1] * weight[2] * weight[3];
}

Feature Conv2d::forward(const Feature& x) {
  return in_module(*this, [&] {
    Feature y = conv2d(x, weight_, bias_, op_options(), options_.activation);
    layer_done(*this, x.shape(), y, macs(y.shape()));
    return y;
  });
}

BatchNorm2d::BatchNorm2d(int64_t channels, const NormOptions& options)
    : options_(options),
      weight_(Tensor::full({channels}, 1), true),
      bias_(zero_parameter({channels})),
      running_mean_(Tensor::zeros({channels})),
      running_var_(Tensor::full({channels}, 1)) {
  GHOST_CHECK(options.eps > 0 && options.momentum >= 0 && options.momentum <= 1, "batch norm: eps ", options.eps,
              " must be positive and momentum ", options.momentum, " lie in [0, 1]");
  register_parameter("weight", weight_, ParameterKind::kNormWeight);
  register_parameter("bias", bias_, ParameterKind::kBias);
  register_buffer("running_mean", running_mean_);
  register_buffer("running_var", running_var_);
}

std::string BatchNorm2d::kind() const { return "batch_norm"; }

ConvBatchNorm::ConvBatchNorm(const std::string& conv_name, const std::string& norm_name, const Conv2dLayerOptions& conv,
                             const NormOptions& norm)
    : conv_(conv), norm_(conv.out_channels, norm) {
  GHOST_CHECK(!conv.bias, "a convolution before batch norm takes no bias: batch norm would remove it");
  register_child(conv_name, conv_);
  register_child(norm_name, norm_);
}

std::string ConvBatchNorm::kind() const {
  std::string text = conv_.kind();
  const size_t activation = text.find(" + ");
  return text.insert(activation == std::string::npos ? text.size() : activation, " + batch_norm");
}

Feature ConvBatchNorm::forward(const Feature& x, const FeatureSlot* slot) {
  return in_module(*this, [&] {
    Feature y = conv2d_batch_norm(x, conv_.weight(), norm_.op_state(), conv_.op_options(), norm_.op_options(),
                                  conv_.options().activation, slot);
    layer_done(*this, x.shape(), y, conv_.macs(y.shape()));
    return y;
  });
}

Shape ConvBatchNorm::output_shape(const Shape& x) const {
  return in_module(*this, [&] { return conv2d_output_shape(x, conv_.weight().shape(), conv_.op_options()); });
}

Linear::Linear(int64_t in_features, int64_t out_features)
    : weight_(zero_parameter({out_features, in_features})), bias_(zero_parameter({out_features})) {
  GHOST_CHECK(in_features > 0 && out_features > 0, "linear layer: in_features ", in_features, " and out_features ",
              out_features, " must be positive");
  register_parameter("weight", weight_, ParameterKind::kLinearWeight, out_features);
  register_parameter("bias", bias_, ParameterKind::kBias);
}

Variable Linear::forward(const Feature& x) {
  return in_module(*this, [&] {
    Variable y = linear(x, weight_, bias_);
    layer_done(*this, x.shape(), y, y.value().numel() * weight_.dim(1));
    return y;
  });
}

std::string name_of(Activation activation) {
  switch (activation) {
    case Activation::kNone: return "";
    case Activation::kRelu: return "relu";
    case Activation::kRelu6: return "relu6";
    case Activation::kLeakyRelu: return "leaky_relu";
    case Activation::kSigmoid: return "sigmoid";
    case Activation::kHardSigmoid: return "hard_sigmoid";
    case Activation::kHardSigmoidKeras: return "hard_sigmoid_keras";
    case Activation::kHardSwish: return "hard_swish";
    case Activation::kSwish: return "swish";
    case Activation::kMish: return "mish";
  }
  GHOST_ASSERT(false, "activation ", static_cast<int>(activation));
}

}  // namespace ghost
