// Why a CUDA device cannot be used, from the bottom up: driver, device, kernels for its architecture, vendor libraries.
#include <dlfcn.h>

#include <cstdlib>
#include <map>
#include <mutex>

#include "core/cuda.h"
#include "core/cuda_device.h"
#include "core/cuda_probe.h"
#include "core/error.h"
#include "core/shared_library_cuda.h"

namespace ghost {
namespace {

// 13020 -> "13.2"
std::string version_text(int version) { return str(version / 1000, '.', version % 1000 / 10); }

std::string driver_reason(int* devices) {
  // Held open for the life of the process: the runtime opens the same library.
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) == nullptr) {
    const char* const words = dlerror();
    return str("there is no NVIDIA driver on this machine: libcuda.so.1 could not be opened (", words ? words : "?",
               "). Install the driver, or use device=cpu.");
  }
  const cudaError_t status = cudaGetDeviceCount(devices);
  if (status == cudaSuccess && *devices > 0) return "";
  static_cast<void>(cudaGetLastError());
  if (status == cudaSuccess || status == cudaErrorNoDevice) {
    const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
    return str("the NVIDIA driver sees no device",
               visible ? str(" (CUDA_VISIBLE_DEVICES is '", visible, "')") : std::string(), ". Use device=cpu.");
  }
  if (status == cudaErrorInsufficientDriver) {
    int driver = 0;
    static_cast<void>(cudaDriverGetVersion(&driver));
    return str("the NVIDIA driver is too old: it serves CUDA ", version_text(driver), ", this build needs ",
               version_text(CUDART_VERSION), ". Install a newer driver, or use device=cpu.");
  }
  return str("cudaGetDeviceCount failed with ", cudaGetErrorName(status), ": ", cudaGetErrorString(status),
             ". Use device=cpu.");
}

class DeviceInt {
 public:
  DeviceInt() { GHOST_CUDA_CALL(cudaMalloc(&pointer_, sizeof(int))); }
  ~DeviceInt() {
    if (const cudaError_t status = cudaFree(pointer_); status != cudaSuccess)
      log_cuda_failure("cudaFree", cudaGetErrorString(status));
  }
  DeviceInt(const DeviceInt&) = delete;
  DeviceInt& operator=(const DeviceInt&) = delete;
  int* pointer() const { return static_cast<int*>(pointer_); }

 private:
  void* pointer_ = nullptr;
};

// Runs the smallest kernel. The calls take the ordinal: a Device can be made only after this.
void run_probe(int index) {
  GHOST_CUDA_CALL(cudaSetDevice(index));
  constexpr int kQuestion = 41;
  const DeviceInt answer;
  cuda::probe(kQuestion, answer.pointer(), nullptr);
  int got = 0;
  GHOST_CUDA_CALL(cudaMemcpy(&got, answer.pointer(), sizeof(got), cudaMemcpyDeviceToHost));
  GHOST_CHECK_AS(kDevice, got == kQuestion + 1, "a test kernel gave ", got, " instead of ", kQuestion + 1);
}

std::string kernel_reason(int index) {
  try {
    run_probe(index);
    return "";
  } catch (const Error& error) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) {
      static_cast<void>(cudaGetLastError());
      return error.message();
    }
    return str("cuda:", index, " (", properties.name, ", compute capability ", properties.major, '.', properties.minor,
               ") cannot run this build's kernels, which are compiled for " GHOST_CUDA_ARCHITECTURES ": ",
               error.message(), ". Configure with -DCMAKE_CUDA_ARCHITECTURES=", properties.major, properties.minor,
               ", or use device=cpu.");
  }
}

std::string find_reason(int index) {
  int devices = 0;
  if (std::string reason = driver_reason(&devices); !reason.empty()) return reason;
  if (index >= devices)
    return str("this machine has ", devices, devices == 1 ? " CUDA device" : " CUDA devices", "; use cuda:0",
               devices > 1 ? str(" to cuda:", devices - 1) : std::string(), " or cpu.");
  if (std::string reason = kernel_reason(index); !reason.empty()) return reason;
  for (const SharedLibrary* library : {&cudnn_library(), &cublaslt_library()})
    if (!library->error().empty()) return library->error();
  return "";
}

}  // namespace

std::string cuda_device_reason(int index) {
  static std::mutex mutex;
  static std::map<int, std::string> reasons;  // none of them changes while the process lives
  const std::lock_guard lock(mutex);
  const auto known = reasons.find(index);
  if (known != reasons.end()) return known->second;
  return reasons[index] = find_reason(index);
}

}  // namespace ghost
