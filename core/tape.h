// Reverse-mode differentiation over an append-only tape.
//
//   TapeScope tape;
//   Variable loss = ...;          // ops append nodes while a scope is open and an input needs a gradient
//   tape.backward(loss);          // runs the nodes from the last to the first, frees each node's memory as it goes
//
// A node's backward is a function; what it captures is the memory the op keeps for the backward pass. One scope per
// thread is active at a time; scopes nest (the inner one records). NoGradScope switches recording off.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace ghost {

// A tensor with a place for its gradient. Copies share both.
class Variable {
 public:
  Variable() = default;
  explicit Variable(Tensor value, bool requires_grad = false);

  bool defined() const { return state_ != nullptr; }
  const Tensor& value() const { return state_->value; }
  const Shape& shape() const { return value().shape(); }
  int64_t dim(int axis) const { return value().dim(axis); }
  DType dtype() const { return value().dtype(); }
  Device device() const { return value().device(); }
  bool requires_grad() const { return state_ && state_->requires_grad; }
  void set_requires_grad(bool on) { state_->requires_grad = on; }
  // Undefined until a backward pass reached this variable. A parameter's gradient adds up over backward passes until
  // clear_grad(); what a tape recorded loses its gradient during backward.
  const Tensor& grad() const { return state_->grad; }
  void clear_grad() { state_->grad = Tensor(); }
  void set_value(Tensor value) { state_->value = std::move(value); }

 private:
  friend class Tape;
  friend class Gradients;
  struct State {
    Tensor value;
    Tensor grad;
    bool requires_grad = false;
    bool recorded = false;     // an output of a node: its gradient is freed once used
    bool grad_shared = false;  // grad's memory is seen by another gradient too: copy before adding in place
  };
  std::shared_ptr<State> state_;
};

using Variables = std::vector<Variable>;

// Where a node's backward puts its inputs' gradients. A gradient is either new, or added to what is already there.
class Gradients {
 public:
  bool needed(int input) const;
  // Hands over a fresh tensor that nobody else uses.
  void set(int input, const Tensor& gradient) { put(input, gradient, false); }
  // Hands over dy or a view of it: costs nothing. Views handed to two inputs must not overlap, else use share().
  void pass(int input, const Tensor& view_of_dy) { put(input, view_of_dy, dy_shared_); }
  // Hands over a tensor that other inputs get too (y = a + b gives dy to both).
  void share(int input, const Tensor& gradient) { put(input, gradient, true); }

  // A tensor to write into, and whether to add to what it holds instead of overwriting it: lets a kernel add its result
  // in place and spare a pass.
  struct Target {
    Tensor out;
    bool accumulate = false;
    Tensor addend{};  // where that lies elsewhere than in `out`
  };
  Target target(int input);
  // For kernels that take an addend: what others see too is not copied first.
  Target target_with_addend(int input);
  // Whether dy may be overwritten by this backward: no other gradient shares its memory.
  bool may_overwrite_dy() const { return !dy_shared_; }

 private:
  friend class Tape;
  Gradients(const Variables& inputs, bool dy_shared) : inputs_(inputs), dy_shared_(dy_shared) {}
  void put(int input, const Tensor& gradient, bool shared);
  const Variables& inputs_;
  bool dy_shared_;
};

using BackwardFunction = std::function<void(const Tensor& dy, Gradients& grads)>;

class Tape {
 public:
  // Throws kUsage unless loss is one element and was recorded on this tape.
  void backward(const Variable& loss);
  // From a given gradient of `output` instead of 1.
  void backward(const Variable& output, const Tensor& gradient);
  size_t size() const { return nodes_.size(); }

  // Called by record().
  void append(const char* name, const Variables& inputs, const Variable& output, BackwardFunction backward);

 private:
  struct Node {
    const char* op;    // a string literal
    std::string path;  // the module that ran it
    Variables inputs;
    Variable output;
    BackwardFunction backward;
  };
  std::vector<Node> nodes_;
};

class TapeScope {
 public:
  TapeScope();
  ~TapeScope();
  TapeScope(const TapeScope&) = delete;
  TapeScope& operator=(const TapeScope&) = delete;
  void backward(const Variable& loss) { tape_.backward(loss); }
  Tape& tape() { return tape_; }

 private:
  Tape tape_;
  Tape* outer_;
};

class NoGradScope {
 public:
  NoGradScope();
  ~NoGradScope();
  NoGradScope(const NoGradScope&) = delete;
  NoGradScope& operator=(const NoGradScope&) = delete;

 private:
  Tape* outer_;
};

// Whether an op with these inputs would be recorded now: its outputs must then keep what backward needs.
bool recording(const Variables& inputs);

// The output of an op: recorded on the active tape where recording(inputs), else plain. `inputs` may hold undefined
// Variables (an absent bias); their gradients are not needed.
Variable record(const char* name, const Variables& inputs, const Tensor& output, BackwardFunction backward);

// Names the module whose forward runs, for error messages and for the first non-finite value: "blocks.4.0.ghost2".
class ModulePath {
 public:
  explicit ModulePath(const std::string& name);
  ~ModulePath();
  ModulePath(const ModulePath&) = delete;
  ModulePath& operator=(const ModulePath&) = delete;
  static std::string current();
};

}  // namespace ghost
