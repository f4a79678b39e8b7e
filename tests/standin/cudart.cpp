// The runtime's public functions.
#include <cstdio>
#include <cstring>

#include "tests/standin/runtime.h"

using ghost::standin::device_memory;
using ghost::standin::runtime;
using ghost::standin::Runtime;

namespace {

// One call at a time; what it returns is remembered for cudaGetLastError.
#define GHOST_STANDIN_ENTER \
  Runtime& r = runtime();   \
  const std::lock_guard lock(r.mutex)

enum class Side { kHost, kDevice };
Side side_of(const void* pointer) { return device_memory().holds(pointer) ? Side::kDevice : Side::kHost; }

bool fits_kind(cudaMemcpyKind kind, Side from, Side to) {
  switch (kind) {
    case cudaMemcpyHostToHost: return from == Side::kHost && to == Side::kHost;
    case cudaMemcpyHostToDevice: return from == Side::kHost && to == Side::kDevice;
    case cudaMemcpyDeviceToHost: return from == Side::kDevice && to == Side::kHost;
    case cudaMemcpyDeviceToDevice: return from == Side::kDevice && to == Side::kDevice;
    case cudaMemcpyDefault: return true;
  }
  return false;
}

void count_copy(Runtime& r, Side from, Side to, size_t bytes) {
  const auto count = [&](int64_t& calls, int64_t& sum) {
    ++calls;
    sum += static_cast<int64_t>(bytes);
  };
  if (from == Side::kHost) count(r.counts.uploads, r.counts.uploaded_bytes);
  if (from == Side::kDevice && to == Side::kHost) count(r.counts.downloads, r.counts.downloaded_bytes);
  if (from == Side::kDevice && to == Side::kDevice) count(r.counts.device_copies, r.counts.device_copied_bytes);
}

cudaError_t copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  Runtime& r = runtime();
  if (bytes == 0) return cudaSuccess;
  const Side source = side_of(from), target = side_of(to);
  if (!fits_kind(kind, source, target))
    return r.mistake(cudaErrorInvalidValue,
                     "a copy of " + std::to_string(bytes) + " bytes in another direction than it says");
  for (const void* const end : {from, static_cast<const void*>(to)}) {
    if (side_of(end) == Side::kHost) continue;
    if (const std::string fault = device_memory().fault(end, bytes); !fault.empty())
      return r.mistake(cudaErrorInvalidValue, (end == from ? "a copy from " : "a copy to ") + fault);
  }
  const bool captured = r.find(stream).capture != nullptr;
  for (const void* const end : {from, static_cast<const void*>(to)}) r.keep_block(end);
  if (!captured) count_copy(r, source, target, bytes);
  const void* const host = source == Side::kHost ? from : to;
  Runtime::Pinned* const pinned = source == target ? nullptr : r.find_pinned(host, bytes);
  if (source != target && pinned == nullptr) {
    ++r.counts.pageable_copies;
    if (const cudaError_t status =
            r.forbid_in_capture(cudaErrorStreamCaptureUnsupported, "a copy of memory that is not pinned"))
      return status;
  }
  if (!r.settings.execute && !captured) {
    if (target == Side::kHost) std::memset(to, 0, bytes);
    return r.lost;
  }
  if (source == Side::kDevice || pinned) {
    const std::shared_ptr<int64_t> pending = pinned && !captured ? pinned->pending : nullptr;
    if (pending) ++*pending;
    return r.enqueue(stream, [=] {
      std::memmove(to, from, bytes);
      if (pending) --*pending;
      return true;
    });
  }
  // Host memory that is not pinned has been read when the call returns.
  const char* const begin = static_cast<const char*>(from);
  return r.enqueue(stream, [to, staged = std::vector<char>(begin, begin + bytes)] {
    std::memcpy(to, staged.data(), staged.size());
    return true;
  });
}

}  // namespace

extern "C" {

cudaError_t cudaGetLastError() {
  GHOST_STANDIN_ENTER;
  const cudaError_t status = r.last;
  r.last = r.lost;
  return status;
}

const char* cudaGetErrorName(cudaError_t status) {
  switch (status) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle: return "cudaErrorInvalidResourceHandle";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    case cudaErrorLaunchTimeout: return "cudaErrorLaunchTimeout";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated: return "cudaErrorStreamCaptureInvalidated";
    case cudaErrorStreamCaptureImplicit: return "cudaErrorStreamCaptureImplicit";
    default: return "another cudaError";
  }
}

const char* cudaGetErrorString(cudaError_t status) {
  GHOST_STANDIN_ENTER;
  if (status == r.lost && status != cudaSuccess) return r.words.c_str();
  return cudaGetErrorName(status);
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  GHOST_STANDIN_ENTER;
  *count = r.settings.devices;
  return *count > 0 ? cudaSuccess : r.fail(cudaErrorNoDevice);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::snprintf(properties->name, sizeof(properties->name), "stand-in on the CPU");
  properties->major = 9;
  properties->minor = 0;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  GHOST_STANDIN_ENTER;
  if (device < 0 || device >= r.settings.devices) return r.fail(cudaErrorInvalidDevice);
  r.device = device;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  GHOST_STANDIN_ENTER;
  if (r.lost != cudaSuccess) return r.fail(r.lost);
  if (r.captured && !r.captured->capture->relaxed)
    return r.forbid_in_capture(cudaErrorStreamCaptureUnsupported, "cudaMalloc");
  ++r.counts.allocations;
  *pointer = device_memory().allocate(bytes, r.device, r.settings.memory, r.settings.execute);
  return *pointer ? cudaSuccess : r.fail(cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void* pointer) {
  GHOST_STANDIN_ENTER;
  if (pointer == nullptr) return cudaSuccess;
  if (const cudaError_t status = r.wait_for_all(); status != cudaSuccess) return status;  // as the real one does
  for (const cudaGraphExec_t launchable : r.launchables)
    if (launchable->graph->blocks.contains(pointer))
      return r.mistake(cudaErrorInvalidValue, "cudaFree of memory that a graph uses");
  if (const std::string fault = device_memory().free(pointer); !fault.empty())
    return r.mistake(cudaErrorInvalidValue, fault);
  ++r.counts.frees;
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  GHOST_STANDIN_ENTER;
  if (r.lost != cudaSuccess) return r.fail(r.lost);
  char* const block = new char[bytes];
  std::memset(block, 0xff, bytes);
  r.pinned[block] = {bytes};
  *pointer = block;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* pointer) {
  GHOST_STANDIN_ENTER;
  const auto found = r.pinned.find(static_cast<const char*>(pointer));
  if (found == r.pinned.end()) return r.mistake(cudaErrorInvalidValue, "cudaFreeHost of what is no pinned block");
  if (*found->second.pending > 0)
    return r.mistake(cudaErrorInvalidValue, "cudaFreeHost of memory that a copy is still to use");
  delete[] found->first;
  r.pinned.erase(found);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  GHOST_STANDIN_ENTER;
  *total = static_cast<size_t>(r.settings.memory);
  *free = *total - static_cast<size_t>(device_memory().bytes(r.device));
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  GHOST_STANDIN_ENTER;
  return copy(to, from, bytes, kind, stream);
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  GHOST_STANDIN_ENTER;
  if (const cudaError_t forbidden = r.forbid_in_capture(cudaErrorStreamCaptureImplicit, "cudaMemcpy")) return forbidden;
  const cudaError_t status = copy(to, from, bytes, kind, nullptr);
  return status == cudaSuccess ? r.wait_for(r.find(nullptr)) : status;
}

cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t bytes, cudaStream_t stream) {
  GHOST_STANDIN_ENTER;
  return copy(to, from, bytes, cudaMemcpyDeviceToDevice, stream);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  GHOST_STANDIN_ENTER;
  if (flags != cudaStreamNonBlocking)
    return r.mistake(cudaErrorInvalidValue, "a stream that waits for the default stream: not stood in for");
  *stream = new CUstream_st;
  (*stream)->device = r.device;
  r.streams.insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  GHOST_STANDIN_ENTER;
  const cudaError_t status = r.wait_for(r.find(stream));
  if (r.streams.erase(stream) > 0) delete stream;
  return status;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  GHOST_STANDIN_ENTER;
  return r.wait_for(r.find(stream));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  GHOST_STANDIN_ENTER;
  if (r.find(stream).capture)
    return r.forbid_in_capture(cudaErrorStreamCaptureUnsupported, "an event of a captured stream: not stood in for");
  return r.enqueue(stream, [state = event->state, number = ++event->state->recorded] {
    state->done = std::max(state->done, number);
    return true;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  GHOST_STANDIN_ENTER;
  if (r.find(stream).capture)
    return r.forbid_in_capture(cudaErrorStreamCaptureUnsupported, "an event of a captured stream: not stood in for");
  if (r.settings.deaf && r.settings.deaf(stream)) return cudaSuccess;
  return r.enqueue(stream, [state = event->state, number = event->state->recorded] { return state->done >= number; });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  GHOST_STANDIN_ENTER;
  if (const cudaError_t status = r.forbid_in_capture(cudaErrorStreamCaptureUnsupported, "a wait for an event"))
    return status;
  if (r.settings.deaf && r.settings.deaf(nullptr)) return cudaSuccess;
  if (event->state->done < event->state->recorded) ++r.counts.event_waits;
  return r.replay([state = event->state, number = event->state->recorded] { return state->done >= number; });
}

cudaError_t cudaFuncGetName(const char** name, const void*) {
  *name = "kernel";  // a mistake of a kernel names it in its own words
  return cudaSuccess;
}

}  // extern "C"
