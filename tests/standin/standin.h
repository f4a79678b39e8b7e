// What the stand-ins of CUDA's libraries count and refuse, for their tests; and how their own parts reach the device.
//
// libcudart, libcudnn and libcublasLt of this folder run on the CPU. Device memory is host memory that only work on a
// stream may touch: the host gets a fault with a message, a freed block is never handed out again, and a new one holds
// NaN. A stream is a queue: nothing runs before the host waits for it, then the queues are replayed in a random order
// that only events and each stream's own order bind. So what lacks a wait shows.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/standin/toolkit/cuda_runtime_api.h"

namespace ghost::standin {

struct Counts {
  int64_t kernels = 0;        // launches of kernels of this project
  int64_t library_calls = 0;  // convolutions and products handed to cuDNN and cuBLASLt: at least a launch each
  int64_t waits = 0;          // calls in which the host waits for a stream
  int64_t uploads = 0, downloads = 0, device_copies = 0;
  int64_t uploaded_bytes = 0, downloaded_bytes = 0, device_copied_bytes = 0;
  int64_t allocations = 0, frees = 0;  // cudaMalloc, cudaFree
  int64_t launches() const { return kernels + library_calls; }
  Counts operator-(const Counts& before) const;
};
Counts counts();
// Launches by kernel so far; the address is the kernel's function.
std::map<const void*, int64_t> kernel_launches();

// Everything that was done wrong so far: a double free, a copy past a block, a dead descriptor. A kernel's mistake is
// here and, as on a device, fails every later call.
std::vector<std::string> mistakes();
int64_t live_blocks();

struct Settings {
  bool execute = true;  // false: everything is counted, nothing runs, memory is never touched, downloads give zeros
  double eager = 0;     // share of calls after which some of the queued work runs at once, as on an idle device
  uint64_t seed = 1;
  int devices = 1;
  int64_t memory = int64_t{80} << 30;  // bytes of each device
};
void set(const Settings& settings);

// --- for the stand-in libraries ---
using Work = std::function<void()>;
cudaError_t launch(const void* kernel, cudaStream_t stream, Work work);
cudaError_t call_library(cudaStream_t stream, Work work);
// Whether [pointer, pointer + bytes) lies in one live block; else a mistake that begins with `what`.
bool check_range(const void* pointer, size_t bytes, const std::string& what);
void report_mistake(const std::string& what);

}  // namespace ghost::standin
