#include "core/tensor.h"

#include <atomic>

#include "core/allocator.h"
#include "core/half.h"
#include "core/meta.h"
#include "core/tensor_ops.h"

namespace ghost {
namespace {

std::atomic<int64_t> bytes_copied{0};

// Widens to double / narrows from double, for conversions on the CPU that no hot path takes.
double load_as_double(const void* data, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::kFloat32: return static_cast<const float*>(data)[i];
    case DType::kFloat64: return static_cast<const double*>(data)[i];
    case DType::kBFloat16: return static_cast<double>(float_from_bfloat16(static_cast<const uint16_t*>(data)[i]));
    case DType::kFloat16: return static_cast<double>(float_from_float16(static_cast<const uint16_t*>(data)[i]));
    case DType::kInt32: return static_cast<const int32_t*>(data)[i];
    case DType::kInt64: return static_cast<double>(static_cast<const int64_t*>(data)[i]);
    case DType::kUInt8: return static_cast<const uint8_t*>(data)[i];
  }
  return 0;
}

void store_from_double(void* data, DType dtype, int64_t i, double value) {
  switch (dtype) {
    case DType::kFloat32: static_cast<float*>(data)[i] = static_cast<float>(value); break;
    case DType::kFloat64: static_cast<double*>(data)[i] = value; break;
    case DType::kBFloat16: static_cast<uint16_t*>(data)[i] = bfloat16_from_float(static_cast<float>(value)); break;
    case DType::kFloat16: static_cast<uint16_t*>(data)[i] = float16_from_float(static_cast<float>(value)); break;
    case DType::kInt32: static_cast<int32_t*>(data)[i] = static_cast<int32_t>(value); break;
    case DType::kInt64: static_cast<int64_t*>(data)[i] = static_cast<int64_t>(value); break;
    case DType::kUInt8: static_cast<uint8_t*>(data)[i] = static_cast<uint8_t>(value); break;
  }
}

// Dense memory of two devices.
void transfer(const Tensor& source, const Tensor& target) {
  if (source.device().is_meta() || target.device().is_meta()) return meta::transfer(source, target);
  cuda_transfer(source, target);
}

}  // namespace

Tensor::Tensor(const Shape& shape, const TensorOptions& options)
    : storage_(allocate(shape.numel() * size_of(options.dtype), options.device)),
      pitch_(shape.rank() ? shape[-1] : 1),
      shape_(shape),
      dtype_(options.dtype),
      device_(options.device) {
  if (shape_.rank() == 0) shape_ = Shape{1};
}

Tensor Tensor::zeros(const Shape& shape, const TensorOptions& options) { return full(shape, 0, options); }

Tensor Tensor::full(const Shape& shape, double value, const TensorOptions& options) {
  Tensor result(shape, options);
  result.fill(value);
  return result;
}

Tensor Tensor::channels(int64_t begin, int64_t count) const {
  GHOST_CHECK(begin >= 0 && count >= 0 && begin + count <= channels(), "channels [", begin, ", ", begin + count,
              ") do not lie in a tensor of shape ", shape_);
  Tensor view = *this;
  view.shape_.set(-1, count);
  view.offset_ += begin;
  return view;
}

Tensor Tensor::reshape(const Shape& shape) const {
  GHOST_CHECK(shape.numel() == numel(), "reshape: ", shape_, " has ", numel(), " elements, ", shape, " needs ",
              shape.numel());
  GHOST_CHECK(contiguous(), "reshape: the tensor ", shape_, " is a channel view with pitch ", pitch_,
              "; clone() it first");
  Tensor view = *this;
  view.shape_ = shape;
  view.pitch_ = shape[-1];
  return view;
}

Tensor Tensor::rows(int64_t begin, int64_t count) const {
  GHOST_CHECK(begin >= 0 && count >= 0 && begin + count <= dim(0), "rows [", begin, ", ", begin + count,
              ") do not lie in a tensor of shape ", shape_);
  Tensor view = *this;
  if (rank() == 1) {
    view.shape_ = Shape{count};
    view.pitch_ = count;
    view.offset_ += begin;
    return view;
  }
  view.offset_ += dim(0) ? begin * (pixels() / dim(0)) * pitch_ : 0;
  view.shape_.set(0, count);
  return view;
}

void* Tensor::raw_data() const {
  return storage_ ? static_cast<char*>(storage_.get()) + offset_ * size_of(dtype_) : nullptr;
}

void* Tensor::check_type(DType wanted) const {
  GHOST_ASSERT(dtype_ == wanted, "a ", dtype_, " tensor was read as ", wanted);
  return raw_data();
}

void Tensor::copy_from(const Tensor& source) const {
  GHOST_CHECK(source.shape() == shape_ && source.dtype() == dtype_, "copy: source is ", source.dtype(), ' ',
              source.shape(), ", target is ", dtype_, ' ', shape_);
  if (empty()) return;
  bytes_copied += numel() * size_of(dtype_);
  if (source.device() == device_) return GHOST_DISPATCH(device_, tensor_copy(source, *this));
  if (contiguous() && source.contiguous()) return transfer(source, *this);
  // A transfer moves dense memory: pack on the source's side, unpack on the target's.
  Tensor moved(shape_, options());
  transfer(source.contiguous() ? source : source.clone(), moved);
  GHOST_DISPATCH(device_, tensor_copy(moved, *this));
}

void Tensor::fill(double value) const {
  if (!empty()) GHOST_DISPATCH(device_, tensor_fill(*this, value));
}

void Tensor::add_in_place(const Tensor& other) const {
  GHOST_CHECK(other.shape() == shape_ && other.dtype() == dtype_, "add: ", other.dtype(), ' ', other.shape(),
              " cannot be added to ", dtype_, ' ', shape_);
  if (!empty()) GHOST_DISPATCH(device_, tensor_add(other, *this));
}

Tensor Tensor::to(const Device& device) const {
  if (device == device_) return *this;
  Tensor result(shape_, {dtype_, device});
  result.copy_from(*this);
  return result;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  if ((is_half(dtype) && dtype_ == DType::kFloat32) || (is_half(dtype_) && dtype == DType::kFloat32)) {
    Tensor result(shape_, {dtype, device_});
    if (!empty()) GHOST_DISPATCH(device_, tensor_convert(*this, result));
    return result;
  }
  const Tensor source = to(Device::cpu());
  Tensor result(shape_, {dtype, Device::cpu()});
  for (int64_t i = 0, row = channels(); i < numel(); ++i) {
    const int64_t place = i / row * source.pitch() + i % row;
    store_from_double(result.raw_data(), dtype, i, load_as_double(source.raw_data(), dtype_, place));
  }
  return result.to(device_);
}

Tensor Tensor::clone() const {
  Tensor result(shape_, options());
  result.copy_from(*this);
  return result;
}

std::vector<double> Tensor::to_vector() const {
  const Tensor host = to(Device::cpu());
  std::vector<double> values(static_cast<size_t>(numel()));
  for (int64_t i = 0, row = channels(); i < numel(); ++i)
    values[static_cast<size_t>(i)] = load_as_double(host.raw_data(), dtype_, i / row * host.pitch() + i % row);
  return values;
}

double Tensor::item() const {
  GHOST_CHECK(numel() == 1, "item: one element is needed, the tensor has shape ", shape_);
  return to_vector()[0];
}

int64_t copied_bytes() { return bytes_copied; }

}  // namespace ghost
