#include "core/stream_cuda.h"

#include <array>
#include <cstdio>
#include <mutex>

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

namespace {

void log_unless(cudaError_t status, const char* call) noexcept {
  if (status != cudaSuccess) log_cuda_failure(call, cudaGetErrorString(status));
}

}  // namespace

CudaStream::CudaStream(const Device& device) {
  GHOST_CUDA_CALL(cudaSetDevice(device.index()));
  GHOST_CUDA_CALL(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
}

CudaStream::~CudaStream() {
  log_unless(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  log_unless(cudaStreamDestroy(stream_), "cudaStreamDestroy");
}

CudaEvent::CudaEvent(const Device& device) {
  GHOST_CUDA_CALL(cudaSetDevice(device.index()));
  GHOST_CUDA_CALL(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming));
}

CudaEvent::~CudaEvent() { log_unless(cudaEventDestroy(event_), "cudaEventDestroy"); }

}  // namespace ghost
