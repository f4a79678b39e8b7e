#include "core/half.h"
#include "core/launch.h"
#include "core/tensor_ops.h"

namespace ghost {
namespace cuda {
namespace {

constexpr int kThreads = 256;

// A dense tensor is one long row.
struct Rows {
  int64_t rows, units;
};

// Calls body(row, i) for each item. Threads x run along a row, y over rows: neighbours touch neighbouring items.
template <class Body>
__device__ void for_each_item(const Rows& size, const Body& body) {
  for (int64_t row = static_cast<int64_t>(blockIdx.y) * blockDim.y + threadIdx.y; row < size.rows;
       row += static_cast<int64_t>(gridDim.y) * blockDim.y)
    GHOST_GRID_STRIDE_LOOP(i, size.units) body(row, i);
}

template <class T>
__global__ void tensor_copy_kernel(const T* source, int64_t source_pitch, T* target, int64_t target_pitch, Rows size) {
  for_each_item(size, [=](int64_t row, int64_t i) { target[row * target_pitch + i] = source[row * source_pitch + i]; });
}

template <class T>
__global__ void tensor_fill_kernel(T* target, int64_t pitch, Rows size, T value) {
  for_each_item(size, [=](int64_t row, int64_t i) { target[row * pitch + i] = value; });
}

template <class T>
__global__ void tensor_add_kernel(const T* addend, int64_t addend_pitch, T* target, int64_t target_pitch, Rows size) {
  for_each_item(size,
                [=](int64_t row, int64_t i) { target[row * target_pitch + i] += addend[row * addend_pitch + i]; });
}

template <class S>
__global__ void tensor_add_half_kernel(const S* addend, int64_t addend_pitch, S* target, int64_t target_pitch,
                                       Rows size) {
  for_each_item(size, [=](int64_t row, int64_t i) {
    S& sum = target[row * target_pitch + i];
    sum = narrow<S>(widen(sum) + widen(addend[row * addend_pitch + i]));
  });
}

template <class From, class To>
__global__ void tensor_convert_kernel(const From* source, int64_t source_pitch, To* target, int64_t target_pitch,
                                      Rows size) {
  for_each_item(size, [=](int64_t row, int64_t i) {
    target[row * target_pitch + i] = narrow<To>(widen(source[row * source_pitch + i]));
  });
}

Rows rows_of(const Tensor& tensor, bool dense) {
  return dense ? Rows{1, tensor.numel()} : Rows{tensor.pixels(), tensor.channels()};
}

// As many threads along a row as it has items, at most a block's.
dim3 block_for(const Rows& size) {
  unsigned x = 1;
  while (x < size.units && x < kThreads) x *= 2;
  unsigned y = 1;
  while (y < size.rows && x * y < kThreads) y *= 2;
  return dim3(x, y);
}

dim3 grid_for_rows(const Rows& size, const dim3& block) {
  return dim3(grid_for(size.units, block.x, 4096), grid_for(size.rows, block.y, 4096));
}

// Copies bytes in the widest unit that lengths, pitches and addresses are multiples of.
template <class T>
bool copy_as(const Tensor& source, const Tensor& target) {
  const int64_t unit = sizeof(T), item = size_of(source.dtype());
  const bool dense = source.contiguous() && target.contiguous();
  Rows size = rows_of(source, dense);
  const int64_t source_pitch = dense ? 0 : source.pitch() * item, target_pitch = dense ? 0 : target.pitch() * item;
  const auto fits = [&](int64_t bytes) { return bytes % unit == 0; };
  if (!fits(size.units * item) || !fits(source_pitch) || !fits(target_pitch) ||
      !fits(reinterpret_cast<intptr_t>(source.raw_data())) || !fits(reinterpret_cast<intptr_t>(target.raw_data())))
    return false;
  size.units = size.units * item / unit;
  const dim3 block = block_for(size);
  launch(tensor_copy_kernel<T>, grid_for_rows(size, block), block, 0, current_stream(source.device()),
         static_cast<const T*>(source.raw_data()), source_pitch / unit, static_cast<T*>(target.raw_data()),
         target_pitch / unit, size);
  return true;
}

template <class From, class To>
void convert(const Tensor& source, const Tensor& target) {
  const Rows size = rows_of(target, source.contiguous() && target.contiguous());
  const dim3 block = block_for(size);
  launch(tensor_convert_kernel<From, To>, grid_for_rows(size, block), block, 0, current_stream(target.device()),
         source.data<From>(), source.pitch(), target.data<To>(), target.pitch(), size);
}

template <class T>
void fill_as(const Tensor& target, T value) {
  const Rows size = rows_of(target, target.contiguous());
  const dim3 block = block_for(size);
  launch(tensor_fill_kernel<T>, grid_for_rows(size, block), block, 0, current_stream(target.device()), target.data<T>(),
         target.pitch(), size, value);
}

}  // namespace

void tensor_copy(const Tensor& source, const Tensor& target) {
  if (source.empty()) return;
  static_cast<void>(copy_as<uint4>(source, target) || copy_as<uint2>(source, target) ||
                    copy_as<uint32_t>(source, target) || copy_as<uint16_t>(source, target) ||
                    copy_as<uint8_t>(source, target));
}

void tensor_fill(const Tensor& target, double value) {
  if (target.empty()) return;
  switch (target.dtype()) {
    case DType::kFloat32: return fill_as(target, static_cast<float>(value));
    case DType::kFloat64: return fill_as(target, value);
    case DType::kInt32: return fill_as(target, static_cast<int32_t>(value));
    case DType::kInt64: return fill_as(target, static_cast<int64_t>(value));
    case DType::kUInt8: return fill_as(target, static_cast<uint8_t>(value));
    case DType::kBFloat16: return fill_as(target, narrow<BFloat16>(static_cast<float>(value)));
    case DType::kFloat16: return fill_as(target, narrow<Float16>(static_cast<float>(value)));
  }
}

void tensor_convert(const Tensor& source, const Tensor& target) {
  if (target.empty()) return;
  const bool widens = is_half(source.dtype());
  visit_half(widens ? source.dtype() : target.dtype(), [&]<class S>(TypeTag<S>) {
    if (widens) {
      convert<S, float>(source, target);
    } else {
      convert<float, S>(source, target);
    }
  });
}

void tensor_add(const Tensor& addend, const Tensor& target) {
  if (target.empty()) return;
  const Rows size = rows_of(target, addend.contiguous() && target.contiguous());
  const dim3 block = block_for(size);
  if (is_half(target.dtype())) {
    return visit_half(target.dtype(), [&]<class S>(TypeTag<S>) {
      launch(tensor_add_half_kernel<S>, grid_for_rows(size, block), block, 0, current_stream(target.device()),
             addend.data<S>(), addend.pitch(), target.data<S>(), target.pitch(), size);
    });
  }
  visit_float(target.dtype(), [&]<class T>(TypeTag<T>) {
    launch(tensor_add_kernel<T>, grid_for_rows(size, block), block, 0, current_stream(target.device()),
           addend.data<T>(), addend.pitch(), target.data<T>(), target.pitch(), size);
  });
}

}  // namespace cuda
}  // namespace ghost
