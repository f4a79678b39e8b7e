#include <cstring>

#include "core/parallel.h"
#include "core/tensor_ops.h"

namespace ghost {
namespace {

constexpr int64_t kChunkBytes = 256 << 10;

// Runs body(row_begin, row_end) over the rows of c elements, or over the whole as one row per chunk when it is dense.
void for_rows(const Tensor& tensor, FunctionRef<void(int64_t begin, int64_t end)> body) {
  const int64_t row_bytes = std::max<int64_t>(1, tensor.channels() * size_of(tensor.dtype()));
  parallel_chunks(tensor.pixels(), std::max<int64_t>(1, kChunkBytes / row_bytes), body);
}

}  // namespace

void cpu::tensor_copy(const Tensor& source, const Tensor& target) {
  const int64_t size = size_of(source.dtype()), row = source.channels() * size;
  const char* const from = static_cast<const char*>(source.raw_data());
  char* const to = static_cast<char*>(target.raw_data());
  for_rows(source, [&](int64_t begin, int64_t end) {
    if (source.contiguous() && target.contiguous()) {
      std::memcpy(to + begin * row, from + begin * row, static_cast<size_t>((end - begin) * row));
      return;
    }
    for (int64_t i = begin; i < end; ++i)
      std::memcpy(to + i * target.pitch() * size, from + i * source.pitch() * size, static_cast<size_t>(row));
  });
}

template <class T>
static void fill(const Tensor& target, T value) {
  T* const to = target.data<T>();
  for_rows(target, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::fill_n(to + i * target.pitch(), target.channels(), value);
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
    const T* const from = addend.data<T>();
    T* const to = target.data<T>();
    for_rows(target, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T* const a = from + i * addend.pitch();
        T* const b = to + i * target.pitch();
        for (int64_t c = 0; c < target.channels(); ++c) b[c] += a[c];
      }
    });
  });
}

}  // namespace ghost
