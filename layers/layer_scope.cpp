#include "layers/layer_scope.h"

#include <cmath>

namespace ghost {
namespace {

thread_local LayerTrace* active_trace = nullptr;
thread_local bool finite_check = false;
thread_local bool error_has_path = false;

template <class T>
void require_finite_elements(const Tensor& host, const std::string& what) {
  const int64_t row = host.channels();
  for (int64_t pixel = 0; pixel < host.pixels(); ++pixel) {
    const T* values = host.data<T>() + pixel * host.pitch();
    for (int64_t c = 0; c < row; ++c) {
      if (std::isfinite(values[c])) [[likely]]
        continue;
      Shape place = host.shape();
      int64_t left = pixel * row + c;
      for (int axis = host.rank() - 1; axis >= 0; --axis) {
        place.set(axis, left % host.dim(axis));
        left /= host.dim(axis);
      }
      GHOST_FAIL(kNonFinite, what, " holds ", static_cast<double>(values[c]), " at ", place);
    }
  }
}

void require_finite_feature(const Feature& feature, const std::string& layer) {
  require_finite(feature.raw.value(), "the output of this " + layer);
  const Epilogue& epilogue = feature.epilogue;
  if (epilogue.scale.defined()) {
    require_finite(epilogue.scale, "batch norm's scale in this " + layer);
    require_finite(epilogue.shift, "batch norm's shift in this " + layer);
  }
  if (epilogue.gate.defined()) require_finite(epilogue.gate, "the gate of this " + layer);
}

}  // namespace

LayerTrace::LayerTrace() : outer_(std::exchange(active_trace, this)) {}
LayerTrace::~LayerTrace() { active_trace = outer_; }

std::vector<LayerRecord> trace_layers(Module& module, int64_t size, int64_t channels,
                                      const std::function<void(const Variable& images)>& forward) {
  const NoGradScope no_grad;
  const LayerTrace trace;
  const InferenceScope inference(module);
  const TensorOptions like = module.parameters().front().variable.value().options();
  forward(Variable(Tensor::zeros({1, size, size, channels}, like)));
  return trace.records();
}

int64_t total_macs(const std::vector<LayerRecord>& layers) {
  int64_t total = 0;
  for (const LayerRecord& layer : layers) total += layer.macs;
  return total;
}

FiniteCheck::FiniteCheck() : outer_(std::exchange(finite_check, true)) {}
FiniteCheck::~FiniteCheck() { finite_check = outer_; }
bool FiniteCheck::active() { return finite_check; }

std::string first_non_finite(const std::function<void()>& forward) {
  const NoGradScope no_grad;
  const FiniteCheck check;
  try {
    forward();
  } catch (const Error& error) {
    return error.what();
  }
  return "no layer's output; the loss itself overflowed";
}

void require_finite(const Tensor& tensor, const std::string& what) {
  if (tensor.empty()) return;
  const Tensor host = tensor.to(Device::cpu());
  if (host.dtype() == DType::kFloat64) return require_finite_elements<double>(host, what);
  require_finite_elements<float>(host.to(DType::kFloat32), what);
}

void layer_done(const Module& module, const Shape& input, const Feature& output, int64_t macs) {
  if (active_trace) {
    const int64_t images = std::max<int64_t>(output.shape()[0], 1);
    active_trace->records_.push_back(
        {ModulePath::current(), module.kind(), input, output.shape(), module.parameter_count(), macs / images});
  }
  if (finite_check) require_finite_feature(output, module.kind());
}

namespace detail {

void entered_module() { error_has_path = false; }

void leave_with_error(Error& error) {
  if (!error_has_path && !ModulePath::current().empty()) error.add_context(ModulePath::current());
  error_has_path = true;
}

}  // namespace detail
}  // namespace ghost
