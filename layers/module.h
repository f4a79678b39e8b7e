// A module: named parameters, buffers and children. One walk over this registry serves save, load, EMA, optimizer,
// device move and `info`; no layer has its own copy or serialise code. Names are dotted, as timm's:
// "blocks.4.0.se.conv_reduce.bias".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/tape.h"

namespace ghost {

enum class ParameterKind {
  kConvWeight,    // {out, in / groups, kh, kw}
  kLinearWeight,  // {out, in}
  kNormWeight,    // batch norm's gamma, {c}
  kBias,          // of a convolution, a linear layer or a batch norm (beta)
};

struct NamedParameter {
  std::string name;   // dotted, from the module that was asked
  Variable variable;  // the module's own: value and gradient are shared
  ParameterKind kind = ParameterKind::kBias;
  int64_t fan_out =
      0;  // output elements one input element reaches: out * kh * kw / groups; 0 for kNormWeight and kBias

  // Whether weight decay applies: to convolution and linear weights, not to batch norm and biases.
  bool decays() const { return kind == ParameterKind::kConvWeight || kind == ParameterKind::kLinearWeight; }
};

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // One or two words and the sizes that matter, for `info`: "conv2d 3x3/2 + batch_norm + relu".
  virtual std::string kind() const = 0;
  // Its name in its parent; "" for the outermost and for one whose children carry the parent's level.
  const std::string& name() const { return name_; }
  // How forward's errors call it: the name unless that is "".
  virtual const std::string& path_name() const { return name_; }
  const std::vector<Module*>& children() const { return children_; }

  bool training() const { return training_; }
  void set_training(bool on);  // children too; new modules train; frozen ones stay in inference mode
  // A frozen module and its children run as in inference, and their parameters ask for no gradient. Thawing does not
  // set the training mode.
  void freeze(bool on);

  // All in timm's order: a module's own in the order they were registered, then its children's.
  std::vector<NamedParameter> parameters() const;
  // The tensors share their memory with the module: copy_from() into one loads it.
  std::vector<NamedTensor> buffers() const;
  std::vector<NamedTensor> state() const;  // parameters and buffers: what a weights file holds
  int64_t parameter_count() const;         // elements of all parameters
  void clear_gradients();

  // Moves or converts parameters and buffers; gradients are dropped. Tensors handed out before keep the old memory.
  void to(const Device& device);
  void to(DType dtype);

 protected:
  void register_parameter(const std::string& name, const Variable& variable, ParameterKind kind, int64_t fan_out = 0);
  void register_buffer(const std::string& name, Tensor& buffer);  // a member of this module
  void register_child(const std::string& name, Module& child);    // a member of this module, or owned by one

 private:
  struct Entry {
    std::string name;
    Variable variable;  // undefined for a buffer
    Tensor* buffer = nullptr;
    ParameterKind kind = ParameterKind::kBias;
    int64_t fan_out = 0;
  };
  void require_new_name(const std::string& name) const;
  template <class Visit>
  void walk(const std::string& prefix, const Visit& visit) const;
  template <class Convert>
  void convert(const Convert& convert_tensor);

  std::string name_;
  std::vector<Entry> entries_;
  std::vector<Module*> children_;
  bool training_ = true, frozen_ = false;
};

// A module in inference mode while this lives; then its mode is what it was.
class InferenceScope {
 public:
  explicit InferenceScope(Module& module) : module_(module), was_training_(module.training()) {
    module.set_training(false);
  }
  ~InferenceScope() { module_.set_training(was_training_); }
  InferenceScope(const InferenceScope&) = delete;
  InferenceScope& operator=(const InferenceScope&) = delete;

 private:
  Module& module_;
  bool was_training_;
};

}  // namespace ghost
