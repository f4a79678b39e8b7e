#include "core/meta.h"

#include <cstring>
#include <utility>

#include "core/tape.h"
#include "core/tensor_ops.h"

namespace ghost {
namespace {

thread_local KernelCount* active_count = nullptr;

}  // namespace

KernelCount::KernelCount() : outer_(std::exchange(active_count, this)) {}
KernelCount::~KernelCount() { active_count = outer_; }

void count_kernel(CountedKernel kernel) {
  if (!active_count) return;
  kernel.path = ModulePath::current();
  active_count->kernels_.push_back(std::move(kernel));
}

namespace meta {

int64_t bytes_of(const Tensor& tensor) { return tensor.defined() ? tensor.numel() * size_of(tensor.dtype()) : 0; }

int64_t bytes_of(std::initializer_list<Tensor> tensors) {
  int64_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += bytes_of(tensor);
  return bytes;
}

void kernel(const char* name, std::initializer_list<Tensor> moved, int64_t flops) {
  kernel(name, bytes_of(moved), flops);
}

void kernel(const char* name, int64_t bytes, int64_t flops) {
  count_kernel({.name = name, .bytes = bytes, .flops = flops});
}

void transfer(const Tensor& source, const Tensor& target) {
  const bool upload = source.device().is_cpu();
  if (target.device().is_cpu()) std::memset(target.raw_data(), 0, static_cast<size_t>(bytes_of(target)));
  count_kernel({.name = upload ? kToDevice : kToHost, .bytes = bytes_of(target), .run_by = RunBy::kCopy});
}

void tensor_copy(const Tensor& source, const Tensor& target) {
  if (!source.empty()) kernel("tensor_copy_kernel", {source, target});
}

void tensor_convert(const Tensor& source, const Tensor& target) {
  if (!target.empty()) kernel("tensor_convert_kernel", {source, target});
}

void tensor_fill(const Tensor& target, double) {
  if (!target.empty()) kernel("tensor_fill_kernel", {target});
}

void tensor_add(const Tensor& addend, const Tensor& target) {
  const char* const name = is_half(target.dtype()) ? "tensor_add_half_kernel" : "tensor_add_kernel";
  if (!target.empty()) kernel(name, {addend, target, target});
}

}  // namespace meta
}  // namespace ghost
