// The meta device: tensors with shape, pitch and address and nothing behind them. An op on it computes nothing;
// meta::op stands beside cuda::op and says which kernels that would start and which bytes they move, allocates what it
// allocates, and so the tape, the layers and the optimizer go through a step as they do on a GPU. Reading a result
// gives zeros.
//
//   KernelCount count;
//   model.to(Device::meta()); ... ; tape.backward(loss);
//   count.kernels();
//
// tests/simt holds the names in meta:: to what the CUDA code really starts.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace ghost {

enum class RunBy : uint8_t { kOwnKernel, kCudnn, kCublasLt, kCopy };  // kCopy: between host and device

struct CountedKernel {
  std::string name;    // "epilogue_kernel"; of a library the call: "conv2d forward"
  std::string path{};  // the module whose forward or backward starts it
  int64_t bytes = 0;   // read and written, each element once per kernel
  int64_t flops = 0;   // of products; additions, activations and statistics do not count
  RunBy run_by = RunBy::kOwnKernel;
  int64_t workspace = 0;  // bytes
  std::string plan{};     // of a library, where one was made
};

// While one lives, what ops on the meta device would start is gathered on this thread.
class KernelCount {
 public:
  KernelCount();
  ~KernelCount();
  KernelCount(const KernelCount&) = delete;
  KernelCount& operator=(const KernelCount&) = delete;
  const std::vector<CountedKernel>& kernels() const { return kernels_; }

 private:
  friend void count_kernel(CountedKernel kernel);
  std::vector<CountedKernel> kernels_;
  KernelCount* outer_;
};

// Notes a kernel, its path being the module's that runs now. Does nothing without a KernelCount.
void count_kernel(CountedKernel kernel);

namespace meta {

// Elements of a tensor in bytes; 0 for an undefined one.
int64_t bytes_of(const Tensor& tensor);
int64_t bytes_of(std::initializer_list<Tensor> tensors);

// A kernel of our own that reads or writes each of `moved` once; a tensor that is read and written stands there twice.
void kernel(const char* name, std::initializer_list<Tensor> moved, int64_t flops = 0);
void kernel(const char* name, int64_t bytes, int64_t flops = 0);

// Names of copies.
inline constexpr const char *kToDevice = "host to device", *kToHost = "device to host";

// Host and meta; what comes to the host is zeros.
void transfer(const Tensor& source, const Tensor& target);

}  // namespace meta
}  // namespace ghost
