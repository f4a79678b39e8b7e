#include "layers/module.h"

#include <algorithm>

namespace ghost {
namespace {

std::string join_names(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : name.empty() ? prefix : prefix + '.' + name;
}

}  // namespace

template <class Visit>
void Module::walk(const std::string& prefix, const Visit& visit) const {
  for (const Entry& entry : entries_) visit(join_names(prefix, entry.name), entry);
  for (const Module* child : children_) child->walk(join_names(prefix, child->name_), visit);
}

void Module::set_training(bool on) {
  training_ = on && !frozen_;
  for (Module* child : children_) child->set_training(training_);
}

void Module::freeze(bool on) {
  frozen_ = on;
  for (NamedParameter& parameter : parameters()) parameter.variable.set_requires_grad(!on);
  if (on) set_training(false);
}

std::vector<NamedParameter> Module::parameters() const {
  std::vector<NamedParameter> result;
  walk("", [&](const std::string& name, const Entry& entry) {
    if (!entry.buffer) result.push_back({name, entry.variable, entry.kind, entry.fan_out});
  });
  return result;
}

std::vector<NamedTensor> Module::buffers() const {
  std::vector<NamedTensor> result;
  walk("", [&](const std::string& name, const Entry& entry) {
    if (entry.buffer) result.push_back({name, *entry.buffer});
  });
  return result;
}

std::vector<NamedTensor> Module::state() const {
  std::vector<NamedTensor> result;
  walk("", [&](const std::string& name, const Entry& entry) {
    result.push_back({name, entry.buffer ? *entry.buffer : entry.variable.value()});
  });
  return result;
}

int64_t Module::parameter_count() const {
  int64_t count = 0;
  for (const Entry& entry : entries_)
    if (!entry.buffer) count += entry.variable.value().numel();
  for (const Module* child : children_) count += child->parameter_count();
  return count;
}

void Module::clear_gradients() {
  for (Entry& entry : entries_)
    if (!entry.buffer) entry.variable.clear_grad();
  for (Module* child : children_) child->clear_gradients();
}

template <class Convert>
void Module::convert(const Convert& convert_tensor) {
  for (Entry& entry : entries_) {
    if (entry.buffer) {
      *entry.buffer = convert_tensor(*entry.buffer);
      continue;
    }
    entry.variable.set_value(convert_tensor(entry.variable.value()));
    entry.variable.clear_grad();
  }
  for (Module* child : children_) child->convert(convert_tensor);
}

void Module::to(const Device& device) {
  convert([&](const Tensor& tensor) { return tensor.to(device); });
}

void Module::to(DType dtype) {
  convert([&](const Tensor& tensor) { return tensor.to(dtype); });
}

void Module::require_new_name(const std::string& name) const {
  const bool taken = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.name == name; }) ||
                     std::any_of(children_.begin(), children_.end(),
                                 [&](const Module* child) { return !name.empty() && child->name_ == name; });
  GHOST_ASSERT(!taken, "two parts of one module are named '", name, "'");
}

void Module::register_parameter(const std::string& name, const Variable& variable, ParameterKind kind,
                                int64_t fan_out) {
  require_new_name(name);
  entries_.push_back({name, variable, nullptr, kind, fan_out});
}

void Module::register_buffer(const std::string& name, Tensor& buffer) {
  require_new_name(name);
  entries_.push_back({name, Variable(), &buffer});
}

void Module::register_child(const std::string& name, Module& child) {
  require_new_name(name);
  child.name_ = name;
  children_.push_back(&child);
}

}  // namespace ghost
