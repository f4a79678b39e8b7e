#include <array>

#include "core/cuda.h"
#include "core/error.h"
#include "core/shared_library_cuda.h"
#include "kernels/cudnn_descriptor.h"

namespace ghost::cuda {
namespace {

CudnnApi load() {
  const SharedLibrary& library = cudnn_library();
  CudnnApi api{};
  const auto find = [&]<class Function>(Function& function, const char* symbol) {
    function = library.function<Function>(symbol);
  };
  find(api.create, "cudnnCreate");
  find(api.set_stream, "cudnnSetStream");
  find(api.error_string, "cudnnGetErrorString");
  find(api.last_error_string, "cudnnGetLastErrorString");
  find(api.create_descriptor, "cudnnBackendCreateDescriptor");
  find(api.destroy_descriptor, "cudnnBackendDestroyDescriptor");
  find(api.set_attribute, "cudnnBackendSetAttribute");
  find(api.get_attribute, "cudnnBackendGetAttribute");
  find(api.finalize, "cudnnBackendFinalize");
  find(api.execute, "cudnnBackendExecute");
  return api;
}

}  // namespace

const CudnnApi& cudnn() {
  static const CudnnApi api = load();
  return api;
}

std::string cudnn_last_error() {
  std::array<char, 1024> words{};
  cudnn().last_error_string(words.data(), words.size());
  return words.data();
}

void check_cudnn(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  GHOST_FAIL(kDevice, "cuDNN: ", call, " failed with ", cudnn().error_string(status), ": ", cudnn_last_error());
}

CudnnDescriptor::CudnnDescriptor(cudnnBackendDescriptorType_t type) {
  check_cudnn(cudnn().create_descriptor(type, &handle_), "cudnnBackendCreateDescriptor");
}

CudnnDescriptor::~CudnnDescriptor() {
  if (handle_ == nullptr) return;
  const cudnnStatus_t status = cudnn().destroy_descriptor(handle_);
  if (status != CUDNN_STATUS_SUCCESS) log_cuda_failure("cudnnBackendDestroyDescriptor", cudnn().error_string(status));
}

}  // namespace ghost::cuda
