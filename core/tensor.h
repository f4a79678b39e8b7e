// A tensor: a shape, an element type, and a place in a storage that several tensors may share.
//
// Dense in all dimensions but one: the last dimension's rows may lie `pitch` elements apart. For a feature map
// {n, h, w, c} that is the distance between two pixels, so channels [begin, begin + count) of a map are a view:
// concat and slice cost nothing.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace ghost {

struct TensorOptions {
  DType dtype = DType::kFloat32;
  Device device;
};

class Tensor {
 public:
  Tensor() = default;  // undefined: no shape, no storage
  // Contents are undefined; see zeros().
  explicit Tensor(const Shape& shape, const TensorOptions& options = {});

  static Tensor zeros(const Shape& shape, const TensorOptions& options = {});
  static Tensor full(const Shape& shape, double value, const TensorOptions& options = {});
  // Copies host values; `values` holds shape.numel() elements.
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape);

  bool defined() const { return storage_ != nullptr || shape_.rank() > 0; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  int64_t dim(int axis) const { return shape_[axis]; }
  int64_t numel() const { return shape_.numel(); }
  bool empty() const { return numel() == 0; }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }
  TensorOptions options() const { return {dtype_, device_}; }
  TensorOptions sum_options() const { return {sum_type(dtype_), device_}; }

  // Feature maps {n, h, w, c}, and {n, c} matrices.
  int64_t channels() const { return shape_[-1]; }
  int64_t pixels() const { return channels() == 0 ? 0 : numel() / channels(); }  // rows of c: n * h * w
  int64_t pitch() const { return pitch_; }                                       // elements between two rows
  bool contiguous() const { return pitch_ == channels() || pixels() <= 1; }

  // Channels [begin, begin + count) as a view on the same storage.
  Tensor channels(int64_t begin, int64_t count) const;
  // The same elements under another shape; contiguous tensors only.
  Tensor reshape(const Shape& shape) const;
  // Rows [begin, begin + count) of the first dimension, a view; 0 <= begin, begin + count <= dim(0).
  Tensor rows(int64_t begin, int64_t count) const;

  // First element; T must be the dtype's C++ type. Host code may read it only on the CPU.
  template <class T>
  T* data() const {
    return static_cast<T*>(check_type(dtype_of<T>));
  }
  void* raw_data() const;
  const std::shared_ptr<void>& storage() const { return storage_; }

  // Copies: to a device (same device: a view), to a dtype (the same: a view; halves <-> float32 on any device, the rest
  // by way of the CPU), a dense copy.
  Tensor to(const Device& device) const;
  Tensor to(DType dtype) const;
  Tensor clone() const;
  // Overwrites the elements; same shape, dtype; any pitches; devices may differ. Counted by copied_bytes().
  void copy_from(const Tensor& source) const;
  void fill(double value) const;
  // this += other, elementwise; same shape and dtype, any pitches.
  void add_in_place(const Tensor& other) const;

  // Host values of a small tensor, in row order, as double. For tests, logs and scalars.
  std::vector<double> to_vector() const;
  double item() const;  // numel() == 1

 private:
  void* check_type(DType wanted) const;

  std::shared_ptr<void> storage_;
  int64_t offset_ = 0;  // elements
  int64_t pitch_ = 0;   // elements
  Shape shape_;
  DType dtype_ = DType::kFloat32;
  Device device_;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// Bytes moved by copy_from since the start: the tests hold concat and slice to 0.
int64_t copied_bytes();

template <class T>
Tensor Tensor::from(const std::vector<T>& values, const Shape& shape) {
  GHOST_CHECK(static_cast<int64_t>(values.size()) == shape.numel(), "tensor: ", values.size(), " values for shape ",
              shape);
  Tensor result(shape, {dtype_of<T>, Device::cpu()});
  std::copy(values.begin(), values.end(), result.data<T>());
  return result;
}

}  // namespace ghost
