// What surrounds a layer's forward: the module path in error messages, the layer table of `info`, and the search for
// the first non-finite value.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/feature.h"
#include "layers/module.h"

namespace ghost {

struct LayerRecord {
  std::string name;  // the module's path: "blocks.4.0.ghost2.primary_conv"
  std::string kind;
  Shape input, output;
  int64_t parameters = 0;
  // Multiply-accumulates for one image. As in the GhostNet paper: convolutions, the two of squeeze-excite and linear
  // layers count; batch norm, activations, pooling, additions and biases do not.
  int64_t macs = 0;
};

// While one lives, the layers of this thread report what they computed, in the order they ran.
class LayerTrace {
 public:
  LayerTrace();
  ~LayerTrace();
  LayerTrace(const LayerTrace&) = delete;
  LayerTrace& operator=(const LayerTrace&) = delete;
  const std::vector<LayerRecord>& records() const { return records_; }

 private:
  friend void layer_done(const Module& module, const Shape& input, const Feature& output, int64_t macs);
  std::vector<LayerRecord> records_;
  LayerTrace* outer_;
};

// The layers of `forward` on one picture of zeros, size x size, in inference mode, in the type and on the device of the
// module's parameters.
std::vector<LayerRecord> trace_layers(Module& module, int64_t size, int64_t channels,
                                      const std::function<void(const Variable& images)>& forward);

int64_t total_macs(const std::vector<LayerRecord>& layers);

// While one lives, every layer's output on this thread is searched for NaN and infinity; the first one throws
// kNonFinite with its place and the layer's path. Slow: it reads all maps on the host. For finding where a bad loss
// came from.
class FiniteCheck {
 public:
  FiniteCheck();
  ~FiniteCheck();
  FiniteCheck(const FiniteCheck&) = delete;
  FiniteCheck& operator=(const FiniteCheck&) = delete;
  static bool active();

 private:
  bool outer_;
};

// Runs `forward` under a FiniteCheck and returns where the first value that is not finite arose.
std::string first_non_finite(const std::function<void()>& forward);

// Throws kNonFinite, "<what> holds nan at [0, 3, 2, 17]", unless every element is finite. Any floating dtype, pitch,
// device.
void require_finite(const Tensor& tensor, const std::string& what);

// A layer calls this at the end of its forward. macs: of the whole batch.
void layer_done(const Module& module, const Shape& input, const Feature& output, int64_t macs);

namespace detail {
void entered_module();
void leave_with_error(Error& error);
}  // namespace detail

// Runs a module's forward with its name on the path; an error that passes gains the full path once, where it arose.
template <class Body>
auto in_module(const Module& module, const Body& body) {
  const ModulePath path(module.path_name());
  detail::entered_module();
  try {
    return body();
  } catch (Error& error) {
    detail::leave_with_error(error);
    throw;
  }
}

}  // namespace ghost
