#include <array>
#include <cstdio>
#include <mutex>

#include "core/cuda.h"
#include "core/error.h"

namespace ghost {
namespace {

constexpr size_t kMaxDevices = 64;

// After these the process has lost the device: every later call fails with the same status.
bool loses_the_device(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorIllegalInstruction:
    case cudaErrorInvalidPc:
    case cudaErrorHardwareStackError:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable: return true;
    default: return false;
  }
}

}  // namespace

void check_cuda(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // else the next launch would report it again
  GHOST_FAIL(kDevice, "CUDA: ", call, " failed with ", cudaGetErrorName(status), ": ", cudaGetErrorString(status),
             loses_the_device(status)
                 ? ". An earlier kernel may be the cause; run again with CUDA_LAUNCH_BLOCKING=1 to "
                   "see which, and start a new process."
                 : "");
}

void log_cuda_failure(const char* call, const char* meaning) noexcept {
  std::fprintf(stderr, "ghosttrain: CUDA: %s failed while cleaning up: %s\n", call, meaning);
}

cudaStream_t current_stream(const Device& device) {
  static std::mutex mutex;
  // Never destroyed: tensors with static lifetime outlive any order of destruction, and the driver frees streams at
  // exit.
  static std::array<cudaStream_t, kMaxDevices> streams{};
  const size_t index = static_cast<size_t>(device.index());
  GHOST_ASSERT(device.is_cuda() && index < streams.size(), "stream of ", device);
  GHOST_CUDA_CALL(cudaSetDevice(device.index()));
  const std::lock_guard lock(mutex);
  if (streams[index] == nullptr) GHOST_CUDA_CALL(cudaStreamCreateWithFlags(&streams[index], cudaStreamNonBlocking));
  return streams[index];
}

}  // namespace ghost
