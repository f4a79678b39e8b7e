#include <algorithm>
#include <cstring>

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
    default: GHOST_FAIL(kUsage, "fill: ", target.dtype(), " is a storage type; fill a float32 tensor and convert it");
  }
}

void cpu::tensor_add(const Tensor& addend, const Tensor& target) {
  visit_float(target.dtype(), [&]<class T>(TypeTag<T>) {
    for_runs(addend, target, [from = addend.data<T>(), to = target.data<T>()](int64_t a, int64_t b, int64_t count) {
      for (int64_t i = 0; i < count; ++i) to[b + i] += from[a + i];
    });
  });
}

}  // namespace ghost
