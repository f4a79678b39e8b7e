#include <algorithm>
#include <cstring>

#include "core/half.h"
#include "core/parallel.h"
#include "core/tensor_ops.h"

namespace ghost {
namespace {

constexpr int64_t kChunkBytes = 256 << 10;

// Runs body(a, b, count) over stretches of elements that are dense in both tensors, in parallel; a and b are their
// places. Dense tensors are cut without regard to rows: a 1x1 convolution's weight has rows of one element.
template <class Body>
void for_runs(const Tensor& first, const Tensor& second, const Body& body) {
  const int64_t size = size_of(first.dtype()), row = first.channels();
  if (first.contiguous() && second.contiguous()) {
    parallel_chunks(first.numel(), kChunkBytes / size,
                    [&](int64_t begin, int64_t end) { body(begin, begin, end - begin); });
    return;
  }
  parallel_chunks(first.pixels(), std::max<int64_t>(1, kChunkBytes / (row * size)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i * first.pitch(), i * second.pitch(), row);
  });
}

template <class T>
void fill(const Tensor& target, T value) {
  for_runs(target, target,
           [=, to = target.data<T>()](int64_t at, int64_t, int64_t count) { std::fill_n(to + at, count, value); });
}

template <class From, class To>
void convert(const Tensor& source, const Tensor& target, const From* from, To* to) {
  for_runs(source, target, [=](int64_t a, int64_t b, int64_t count) {
    for (int64_t i = 0; i < count; ++i) to[b + i] = narrow<To>(widen(from[a + i]));
  });
}

}  // namespace

void cpu::tensor_copy(const Tensor& source, const Tensor& target) {
  const int64_t size = size_of(source.dtype());
  const char* const from = static_cast<const char*>(source.raw_data());
  char* const to = static_cast<char*>(target.raw_data());
  for_runs(source, target, [=](int64_t a, int64_t b, int64_t count) {
    std::memcpy(to + b * size, from + a * size, static_cast<size_t>(count * size));
  });
}

void cpu::tensor_fill(const Tensor& target, double value) {
  switch (target.dtype()) {
    case DType::kFloat32: return fill(target, static_cast<float>(value));
    case DType::kFloat64: return fill(target, value);
    case DType::kInt32: return fill(target, static_cast<int32_t>(value));
    case DType::kInt64: return fill(target, static_cast<int64_t>(value));
    case DType::kUInt8: return fill(target, static_cast<uint8_t>(value));
    case DType::kBFloat16: return fill(target, narrow<BFloat16>(static_cast<float>(value)));
    case DType::kFloat16: return fill(target, narrow<Float16>(static_cast<float>(value)));
  }
}

void cpu::tensor_convert(const Tensor& source, const Tensor& target) {
  const bool widens = is_half(source.dtype());
  visit_half(widens ? source.dtype() : target.dtype(), [&]<class S>(TypeTag<S>) {
    if (widens)
      convert(source, target, source.data<S>(), target.data<float>());
    else
      convert(source, target, source.data<float>(), target.data<S>());
  });
}

void cpu::tensor_add(const Tensor& addend, const Tensor& target) {
  if (is_half(target.dtype())) {
    return visit_half(target.dtype(), [&]<class S>(TypeTag<S>) {
      for_runs(addend, target, [from = addend.data<S>(), to = target.data<S>()](int64_t a, int64_t b, int64_t count) {
        for (int64_t i = 0; i < count; ++i) to[b + i] = narrow<S>(widen(to[b + i]) + widen(from[a + i]));
      });
    });
  }
  visit_float(target.dtype(), [&]<class T>(TypeTag<T>) {
    for_runs(addend, target, [from = addend.data<T>(), to = target.data<T>()](int64_t a, int64_t b, int64_t count) {
      for (int64_t i = 0; i < count; ++i) to[b + i] += from[a + i];
    });
  });
}

}  // namespace ghost
