// cuDNN's backend descriptors with an owner and checked calls. cuDNN is opened at run time
// (core/shared_library_cuda.h), so its functions are reached through CudnnApi and never by name. Included by
// *_cudnn.cpp only.
#pragma once

#include <cudnn.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ghost::cuda {

struct CudnnApi {
  decltype(&cudnnCreate) create;
  decltype(&cudnnSetStream) set_stream;
  decltype(&cudnnGetErrorString) error_string;
  decltype(&cudnnGetLastErrorString) last_error_string;
  decltype(&cudnnBackendCreateDescriptor) create_descriptor;
  decltype(&cudnnBackendDestroyDescriptor) destroy_descriptor;
  decltype(&cudnnBackendSetAttribute) set_attribute;
  decltype(&cudnnBackendGetAttribute) get_attribute;
  decltype(&cudnnBackendFinalize) finalize;
  decltype(&cudnnBackendExecute) execute;
};

// Throws kDevice where cuDNN cannot be opened.
const CudnnApi& cudnn();

// Throws kDevice: the call, the status, and what cuDNN says of the cause.
void check_cudnn(cudnnStatus_t status, const char* call);
// What cuDNN says of the last failure of this thread.
std::string cudnn_last_error();

class CudnnDescriptor {
 public:
  explicit CudnnDescriptor(cudnnBackendDescriptorType_t type);
  ~CudnnDescriptor();
  CudnnDescriptor(CudnnDescriptor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  CudnnDescriptor& operator=(CudnnDescriptor&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  CudnnDescriptor(const CudnnDescriptor&) = delete;
  CudnnDescriptor& operator=(const CudnnDescriptor&) = delete;

  // T is the C type that `type` stands for.
  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const std::vector<T>& values) {
    check_cudnn(cudnn().set_attribute(handle_, name, type, static_cast<int64_t>(values.size()), values.data()),
                "cudnnBackendSetAttribute");
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const T& value) {
    check_cudnn(cudnn().set_attribute(handle_, name, type, 1, &value), "cudnnBackendSetAttribute");
  }
  // The child is retained by reference: it must live until this one is finalized.
  void set(cudnnBackendAttributeName_t name, const CudnnDescriptor& child) {
    set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, child.handle_);
  }

  void finalize() { check_cudnn(try_finalize(), "cudnnBackendFinalize"); }
  cudnnStatus_t try_finalize() { return cudnn().finalize(handle_); }

  cudnnBackendDescriptor_t handle() const { return handle_; }

 private:
  cudnnBackendDescriptor_t handle_ = nullptr;
};

}  // namespace ghost::cuda
