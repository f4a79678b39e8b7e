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
  int64_t graph_launches = 0, graph_nodes = 0;  // graphs, and what they start; recording counts as nothing
  int64_t waits = 0;                            // calls in which the host waits for a stream
  int64_t event_waits = 0;                      // calls in which it waits for an event
  int64_t pageable_copies = 0;                  // between the device and host memory that is not pinned
  int64_t uploads = 0, downloads = 0, device_copies = 0;
  int64_t uploaded_bytes = 0, downloaded_bytes = 0, device_copied_bytes = 0;
  int64_t allocations = 0, frees = 0;  // cudaMalloc, cudaFree
  // Device memory that a launch touches, in sectors of 32 bytes, each once per launch however often it is touched: what
  // must cross the bus if nothing stays in the caches between launches. Of kernels only under Settings::watch.
  int64_t read_bytes = 0, written_bytes = 0;
  int64_t launches() const { return kernels + library_calls + graph_launches; }
  int64_t touched_bytes() const { return read_bytes + written_bytes; }
  Counts operator-(const Counts& before) const;
};
Counts counts();
// Counts as they stood after each launch of a graph so far.
std::vector<Counts> counts_at_graph_launches();
// Launches by kernel so far; the address is the kernel's function.
std::map<const void*, int64_t> kernel_launches();

// Whether the compiler lets the stand-in see every access of a kernel (g++ without sanitizers does).
#ifdef GHOST_STANDIN_SEES_ACCESSES
inline constexpr bool kAccessesAreSeen = true;
#else
inline constexpr bool kAccessesAreSeen = false;
#endif

// Everything that was done wrong since the last call: a double free, a copy past a block, a dead descriptor, a kernel
// that touches what is not the device's. A kernel's exception is here and, as on a device, fails every later call.
std::vector<std::string> take_mistakes();
int64_t live_blocks();
int64_t live_graphs();  // recorded or ready to launch
int64_t pinned_blocks();

struct Settings {
  bool watch = false;   // notes every access of kernels where kAccessesAreSeen: slow
  bool execute = true;  // false: everything is counted, nothing runs, memory is never touched, downloads give zeros
  // Which waits for an event are left out, to see that each is needed: those of a stream, or of the host (null).
  std::function<bool(cudaStream_t)> deaf{};
  double eager = 0;  // share of calls after which some of the queued work runs at once, as on an idle device
  uint64_t seed = 1;
  int devices = 1;
  int64_t memory = int64_t{80} << 30;  // bytes of each device
};
void set(const Settings& settings);
// Runs all that is queued, for figures that are to be complete; no wait is counted.
void finish();

// --- for the stand-in libraries ---
using Work = std::function<void()>;
// A kernel's parameters as bytes: a graph keeps the blocks that pointers among them lie in.
struct Arguments {
  const void* data = nullptr;
  size_t bytes = 0;
};
cudaError_t launch(const void* kernel, cudaStream_t stream, const Arguments& arguments, Work work);
// `read_bytes`, `written_bytes`: what the call touches.
cudaError_t call_library(cudaStream_t stream, int64_t read_bytes, int64_t written_bytes, Work work);
// Whether [pointer, pointer + bytes) lies in one live block; else a mistake that begins with `what`.
bool check_range(const void* pointer, size_t bytes, const std::string& what);
void report_mistake(const std::string& what);
// A kernel's access to memory, while `watching` (access_hooks.cpp).
extern bool watching;
void note_access(const void* pointer, size_t bytes, bool write);

}  // namespace ghost::standin
