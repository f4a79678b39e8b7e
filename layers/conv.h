// Convolution, batch norm and linear layers: parameters and the ops that use them.
#pragma once

#include <string>

#include "kernels/batch_norm.h"
#include "layers/module.h"

namespace ghost {

struct Conv2dLayerOptions {
  int64_t in_channels = 0, out_channels = 0;
  int kernel_size = 1;
  int stride = 1;
  int groups = 1;
  PaddingMode padding = PaddingMode::kSymmetric;
  bool bias = false;
  Activation activation = Activation::kNone;  // of forward()
};

// weight {out, in / groups, k, k}, bias {out}. Zero until initialised (layers/initialise.h).
class Conv2d : public Module {
 public:
  explicit Conv2d(const Conv2dLayerOptions& options);
  std::string kind() const override;
  Feature forward(const Feature& x);

  const Variable& weight() const { return weight_; }
  const Variable& bias() const { return bias_; }  // undefined without
  const Conv2dLayerOptions& options() const { return options_; }
  Conv2dOptions op_options() const { return {options_.stride, options_.padding, options_.groups}; }
  int64_t macs(const Shape& output) const;  // of the whole batch

 private:
  Conv2dLayerOptions options_;
  Variable weight_, bias_;
};

struct NormOptions {
  double eps = 1e-5;
  double momentum = 0.1;  // share of the new value, as in PyTorch
};

// weight 1, bias 0, running_mean 0, running_var 1, {c} each. timm's num_batches_tracked is left to import and export.
class BatchNorm2d : public Module {
 public:
  BatchNorm2d(int64_t channels, const NormOptions& options);
  std::string kind() const override;
  BatchNormState op_state() const { return {weight_, bias_, running_mean_, running_var_}; }
  BatchNormOptions op_options() const { return {options_.eps, options_.momentum, training()}; }

 private:
  NormOptions options_;
  Variable weight_, bias_;
  Tensor running_mean_, running_var_;
};

// Convolution without bias, batch norm, activation: one op. The two children have the names their parent gives them,
// since timm puts them under various names ("conv_dw" and "bn_dw", "shortcut.0" and "shortcut.1", "0" and "1").
class ConvBatchNorm : public Module {
 public:
  ConvBatchNorm(const std::string& conv_name, const std::string& norm_name, const Conv2dLayerOptions& conv,
                const NormOptions& norm);
  std::string kind() const override;
  const std::string& path_name() const override { return name().empty() ? conv_.name() : name(); }
  // slot: where to write, or nullptr for new memory.
  Feature forward(const Feature& x, const FeatureSlot* slot = nullptr);
  Shape output_shape(const Shape& x) const;

 private:
  Conv2d conv_;
  BatchNorm2d norm_;
};

// weight {out, in}, bias {out}.
class Linear : public Module {
 public:
  Linear(int64_t in_features, int64_t out_features);
  std::string kind() const override { return "linear"; }
  Variable forward(const Feature& x);  // {n, in} or {n, 1, 1, in} -> {n, out}

 private:
  Variable weight_, bias_;
};

// "relu", "hard_sigmoid", ...; "" for kNone.
std::string name_of(Activation activation);

}  // namespace ghost
