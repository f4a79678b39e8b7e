#include <cmath>

#include "core/parallel.h"
#include "core/simd_targets.h"
#include "kernels/optimizer_step.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/optimizer_step_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/epilogue_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ghost {
namespace HWY_NAMESPACE {

template <class T>
void sgd_part(const ParameterSlot& slot, const SgdOptions& options, int64_t begin, int64_t end) {
  T* const value = slot.value.data<T>();
  const T* const gradient = slot.gradient.data<T>();
  T* const first = slot.first.defined() ? slot.first.data<T>() : nullptr;
  for_vectors(hn::ScalableTag<T>(), begin, end, [&](auto d, int64_t i) HWY_ATTR {
    const auto momentum = constant(d, options.momentum), before = hn::LoadU(d, value + i);
    auto update = hn::MulAdd(constant(d, slot.weight_decay), before, hn::LoadU(d, gradient + i));
    if (first) {
      const auto moving = hn::MulAdd(momentum, hn::LoadU(d, first + i), update);
      hn::StoreU(moving, d, first + i);
      update = options.nesterov ? hn::MulAdd(momentum, moving, update) : moving;
    }
    hn::StoreU(hn::NegMulAdd(constant(d, options.learning_rate), update, before), d, value + i);
  });
}

template <class T>
void adam_part(const ParameterSlot& slot, const AdamOptions& options, int64_t begin, int64_t end) {
  T* const value = slot.value.data<T>();
  const T* const gradient = slot.gradient.data<T>();
  T *const first = slot.first.data<T>(), *const second = slot.second.data<T>();
  const StepNumbers numbers = numbers_of(options);
  const double step_size = numbers.step_size, unbias = numbers.inverse_root;
  const double keep = options.decoupled ? 1 - options.learning_rate * slot.weight_decay : 1;
  const double decay = options.decoupled ? 0 : slot.weight_decay;
  for_vectors(hn::ScalableTag<T>(), begin, end, [&](auto d, int64_t i) HWY_ATTR {
    const auto before = hn::LoadU(d, value + i);
    const auto g = hn::MulAdd(constant(d, decay), before, hn::LoadU(d, gradient + i));
    const auto m =
        hn::MulAdd(constant(d, options.beta1), hn::LoadU(d, first + i), hn::Mul(constant(d, 1 - options.beta1), g));
    const auto v = hn::MulAdd(constant(d, options.beta2), hn::LoadU(d, second + i),
                              hn::Mul(constant(d, 1 - options.beta2), hn::Mul(g, g)));
    hn::StoreU(m, d, first + i);
    hn::StoreU(v, d, second + i);
    const auto root = hn::MulAdd(hn::Sqrt(v), constant(d, unbias), constant(d, options.eps));
    const auto kept = hn::Mul(before, constant(d, keep));
    hn::StoreU(hn::NegMulAdd(constant(d, step_size), hn::Div(m, root), kept), d, value + i);
  });
}

template <class T>
void ema_part(const Tensor& value, const Tensor& average, double decay, int64_t begin, int64_t end) {
  const T* const from = value.data<T>();
  T* const to = average.data<T>();
  for_vectors(hn::ScalableTag<T>(), begin, end, [&](auto d, int64_t i) HWY_ATTR {
    const auto before = hn::LoadU(d, to + i);
    hn::StoreU(hn::MulAdd(constant(d, 1 - decay), hn::Sub(hn::LoadU(d, from + i), before), before), d, to + i);
  });
}

template <class T>
void scale_part(const Tensor& tensor, double factor, int64_t begin, int64_t end) {
  T* const values = tensor.data<T>();
  for_vectors(hn::ScalableTag<T>(), begin, end, [&](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::Mul(hn::LoadU(d, values + i), constant(d, factor)), d, values + i);
  });
}

template <class T>
double squared_norm_part(const Tensor& tensor, int64_t begin, int64_t end) {
  const T* const values = tensor.data<T>();
  constexpr int64_t kLanes = 16;  // independent sums, which the compiler keeps in vectors
  double sums[kLanes] = {};
  for (; begin + kLanes <= end; begin += kLanes)
    for (int64_t k = 0; k < kLanes; ++k) {
      const double value = values[begin + k];
      sums[k] += value * value;
    }
  for (; begin < end; ++begin) sums[0] += static_cast<double>(values[begin]) * values[begin];
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

void sgd_range(const ParameterSlot& slot, const SgdOptions& options, int64_t begin, int64_t end) {
  visit_float(slot.value.dtype(), [&]<class T>(TypeTag<T>) { sgd_part<T>(slot, options, begin, end); });
}
void adam_range(const ParameterSlot& slot, const AdamOptions& options, int64_t begin, int64_t end) {
  visit_float(slot.value.dtype(), [&]<class T>(TypeTag<T>) { adam_part<T>(slot, options, begin, end); });
}
void ema_range(const Tensor& value, const Tensor& average, double decay, int64_t begin, int64_t end) {
  visit_float(value.dtype(), [&]<class T>(TypeTag<T>) { ema_part<T>(value, average, decay, begin, end); });
}
void scale_range(const Tensor& tensor, double factor, int64_t begin, int64_t end) {
  visit_float(tensor.dtype(), [&]<class T>(TypeTag<T>) { scale_part<T>(tensor, factor, begin, end); });
}
double squared_norm_range(const Tensor& tensor, int64_t begin, int64_t end) {
  return visit_float(tensor.dtype(), [&]<class T>(TypeTag<T>) { return squared_norm_part<T>(tensor, begin, end); });
}

}  // namespace HWY_NAMESPACE
}  // namespace ghost
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ghost {

HWY_EXPORT(sgd_range);
HWY_EXPORT(adam_range);
HWY_EXPORT(ema_range);
HWY_EXPORT(scale_range);
HWY_EXPORT(squared_norm_range);

namespace {

// A task's share of a list of tensors: elements [begin, end) of tensor `index`.
struct Part {
  size_t index;
  int64_t begin, end;
};

// All tensors cut into parts of at most 16 Ki elements, so that one parallel_for serves a whole step.
template <class Numel>
std::vector<Part> cut(size_t tensors, const Numel& numel) {
  constexpr int64_t kPart = 16 << 10;
  std::vector<Part> parts;
  for (size_t i = 0; i < tensors; ++i)
    for (int64_t begin = 0, count = numel(i); begin < count; begin += kPart)
      parts.push_back({i, begin, std::min(begin + kPart, count)});
  return parts;
}

void check_like(const Tensor& value, const Tensor& other, const char* what) {
  GHOST_ASSERT(
      value.contiguous() && other.contiguous() && other.numel() == value.numel() && other.dtype() == value.dtype(),
      "optimizer: ", what, ' ', other.dtype(), ' ', other.shape(), " for a parameter ", value.dtype(), ' ',
      value.shape());
}

std::vector<Part> cut_slots(const std::vector<ParameterSlot>& slots, bool first, bool second) {
  for (const ParameterSlot& slot : slots) {
    check_like(slot.value, slot.gradient, "gradient");
    if (first) check_like(slot.value, slot.first, "first moment");
    if (second) check_like(slot.value, slot.second, "second moment");
  }
  return cut(slots.size(), [&](size_t i) { return slots[i].value.numel(); });
}

std::vector<Part> cut_tensors(const std::vector<Tensor>& tensors) {
  for (const Tensor& tensor : tensors) GHOST_ASSERT(tensor.contiguous(), "optimizer: a channel view ", tensor.shape());
  return cut(tensors.size(), [&](size_t i) { return tensors[i].numel(); });
}

template <class Body>
void for_parts(const std::vector<Part>& parts, const Body& body) {
  parallel_for(static_cast<int64_t>(parts.size()), [&](int64_t task) { body(parts[static_cast<size_t>(task)], task); });
}

// Scales the gradients as their norm asks for; false where the step is to change nothing.
bool clip(const std::vector<ParameterSlot>& slots, const Tensor& norm) {
  const double factor = norm.defined() ? norm.data<double>()[kClip] : 1;
  if (factor == 0 || factor == 1) return factor != 0;
  std::vector<Tensor> gradients;
  for (const ParameterSlot& slot : slots) gradients.push_back(slot.gradient);
  cpu::scale_in_place(gradients, factor);
  return true;
}

}  // namespace

void cpu::sgd_step(const std::vector<ParameterSlot>& slots, const SgdOptions& options) {
  if (!clip(slots, options.norm)) return;
  const auto run = HWY_DYNAMIC_DISPATCH(sgd_range);
  for_parts(cut_slots(slots, options.momentum != 0, false),
            [&](const Part& part, int64_t) { run(slots[part.index], options, part.begin, part.end); });
}

void cpu::adam_step(const std::vector<ParameterSlot>& slots, const AdamOptions& options) {
  GHOST_ASSERT(options.step >= 1, "adam: step ", options.step, ", the first is 1");
  if (!clip(slots, options.norm)) return;
  const auto run = HWY_DYNAMIC_DISPATCH(adam_range);
  for_parts(cut_slots(slots, true, true),
            [&](const Part& part, int64_t) { run(slots[part.index], options, part.begin, part.end); });
}

void cpu::ema_step(const std::vector<Tensor>& values, const std::vector<Tensor>& averages, double decay,
                   const Tensor&) {
  GHOST_ASSERT(values.size() == averages.size(), "ema: ", values.size(), " values, ", averages.size(), " averages");
  for (size_t i = 0; i < values.size(); ++i) check_like(values[i], averages[i], "average");
  const auto run = HWY_DYNAMIC_DISPATCH(ema_range);
  for_parts(cut_tensors(values), [&](const Part& part, int64_t) {
    run(values[part.index], averages[part.index], decay, part.begin, part.end);
  });
}

double cpu::squared_norm(const std::vector<Tensor>& tensors) {
  const std::vector<Part> parts = cut_tensors(tensors);
  std::vector<double> sums(parts.size());
  const auto run = HWY_DYNAMIC_DISPATCH(squared_norm_range);
  for_parts(parts, [&](const Part& part, int64_t task) {
    sums[static_cast<size_t>(task)] = run(tensors[part.index], part.begin, part.end);
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

void cpu::scale_in_place(const std::vector<Tensor>& tensors, double factor) {
  const auto run = HWY_DYNAMIC_DISPATCH(scale_range);
  for_parts(cut_tensors(tensors),
            [&](const Part& part, int64_t) { run(tensors[part.index], factor, part.begin, part.end); });
}

}  // namespace ghost
#endif  // HWY_ONCE
