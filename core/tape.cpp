#include "core/tape.h"

#include <algorithm>

#include "core/profile.h"
#include "core/tensor_ops.h"

namespace ghost {
namespace {

thread_local Tape* active_tape = nullptr;
thread_local std::vector<std::string> module_path;

}  // namespace

Variable::Variable(Tensor value, bool requires_grad) : state_(std::make_shared<State>()) {
  state_->value = std::move(value);
  state_->requires_grad = requires_grad;
}

bool Gradients::needed(int input) const { return inputs_[static_cast<size_t>(input)].requires_grad(); }

void Gradients::put(int input, const Tensor& gradient, bool shared) {
  if (!needed(input)) return;
  Variable::State& state = *inputs_[static_cast<size_t>(input)].state_;
  GHOST_ASSERT(gradient.shape() == state.value.shape(), "gradient ", gradient.shape(), " of input ", input,
               " of shape ", state.value.shape());
  if (!state.grad.defined()) {
    state.grad = gradient;
    state.grad_shared = shared;
    return;
  }
  Target sum = target(input);
  sum.out.add_in_place(gradient);
}

Gradients::Target Gradients::target(int input) {
  GHOST_ASSERT(needed(input), "the gradient of input ", input, " is not needed");
  Variable::State& state = *inputs_[static_cast<size_t>(input)].state_;
  if (!state.grad.defined()) {
    state.grad = Tensor(state.value.shape(), state.value.options());
    state.grad_shared = false;
    return {state.grad, false};
  }
  // Where the others who shared it are through, it is ours. Else the sum needs memory of its own: that is no copy that
  // a view could spare, so copied_bytes() leaves it out.
  if (state.grad_shared && state.grad.storage().use_count() > 1) {
    const Tensor own(state.grad.shape(), state.grad.options());
    GHOST_DISPATCH(own.device(), tensor_copy(state.grad, own));
    state.grad = own;
  }
  state.grad_shared = false;
  return {state.grad, true};
}

Gradients::Target Gradients::target_with_addend(int input) {
  Variable::State& state = *inputs_[static_cast<size_t>(input)].state_;
  if (!state.grad.defined() || !state.grad_shared || state.grad.storage().use_count() == 1) return target(input);
  const Tensor addend = std::exchange(state.grad, Tensor(state.value.shape(), state.value.options()));
  state.grad_shared = false;
  return {state.grad, true, addend};
}

void Tape::append(const char* name, const Variables& inputs, const Variable& output, BackwardFunction backward) {
  output.state_->requires_grad = true;
  output.state_->recorded = true;
  nodes_.push_back({name, ModulePath::current(), inputs, output, std::move(backward)});
}

void Tape::backward(const Variable& loss) {
  GHOST_CHECK(loss.value().numel() == 1, "backward: the loss must be one number, its shape is ", loss.shape());
  backward(loss, Tensor::full(loss.shape(), 1.0, loss.value().options()));
}

void Tape::backward(const Variable& output, const Tensor& gradient) {
  const bool recorded =
      std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& node) { return node.output.state_ == output.state_; });
  GHOST_CHECK(recorded,
              "backward: the loss was not recorded; run the forward pass inside a TapeScope, with an input that "
              "requires a gradient");
  output.state_->grad = gradient;
  output.state_->grad_shared = true;
  ProfileScope::mark();
  for (; !nodes_.empty(); nodes_.pop_back()) {
    Node& node = nodes_.back();
    Variable::State& state = *node.output.state_;
    if (!state.grad.defined()) continue;
    const Tensor dy = std::exchange(state.grad, Tensor());
    const ModulePath path(node.path);
    Gradients grads(node.inputs, state.grad_shared && dy.storage().use_count() > 1);
    with_context([&] { return str("the backward pass of ", node.op, " in ", node.path); },
                 [&] { node.backward(dy, grads); });
    ProfileScope::backward_done(node.op);
  }
}

TapeScope::TapeScope() : outer_(std::exchange(active_tape, &tape_)) {}
TapeScope::~TapeScope() { active_tape = outer_; }
NoGradScope::NoGradScope() : outer_(std::exchange(active_tape, nullptr)) {}
NoGradScope::~NoGradScope() { active_tape = outer_; }

bool recording(const Variables& inputs) {
  return active_tape && std::any_of(inputs.begin(), inputs.end(), [](const Variable& v) { return v.requires_grad(); });
}

Variable record(const char* name, const Variables& inputs, const Tensor& output, BackwardFunction backward) {
  Variable result(output);
  ProfileScope::forward_done(name);
  if (recording(inputs)) active_tape->append(name, inputs, result, std::move(backward));
  return result;
}

ModulePath::ModulePath(const std::string& name) { module_path.push_back(name); }
ModulePath::~ModulePath() { module_path.pop_back(); }

std::string ModulePath::current() {
  std::string path;
  for (const std::string& name : module_path) {
    if (name.empty()) continue;
    if (!path.empty()) path += '.';
    path += name;
  }
  return path;
}

}  // namespace ghost
