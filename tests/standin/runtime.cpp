#include "tests/standin/runtime.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "tests/standin/sector_log.h"

namespace ghost::standin {

Runtime& runtime() {
  static Runtime& runtime = *new Runtime;  // tensors with static lifetime come back late
  return runtime;
}

Counts Counts::operator-(const Counts& b) const {
  return {.kernels = kernels - b.kernels,
          .library_calls = library_calls - b.library_calls,
          .graph_launches = graph_launches - b.graph_launches,
          .graph_nodes = graph_nodes - b.graph_nodes,
          .waits = waits - b.waits,
          .event_waits = event_waits - b.event_waits,
          .pageable_copies = pageable_copies - b.pageable_copies,
          .uploads = uploads - b.uploads,
          .downloads = downloads - b.downloads,
          .device_copies = device_copies - b.device_copies,
          .uploaded_bytes = uploaded_bytes - b.uploaded_bytes,
          .downloaded_bytes = downloaded_bytes - b.downloaded_bytes,
          .device_copied_bytes = device_copied_bytes - b.device_copied_bytes,
          .allocations = allocations - b.allocations,
          .frees = frees - b.frees,
          .read_bytes = read_bytes - b.read_bytes,
          .written_bytes = written_bytes - b.written_bytes};
}

CUstream_st& Runtime::find(cudaStream_t stream) {
  if (stream == nullptr) return default_streams[static_cast<size_t>(device)];
  if (!streams.contains(stream)) {
    static CUstream_st& nowhere = *new CUstream_st;
    mistake(cudaErrorInvalidResourceHandle, "a stream that does not exist");
    return nowhere;
  }
  if (stream->device != device) mistake(cudaErrorInvalidResourceHandle, "a stream of another device");
  return *stream;
}

cudaError_t Runtime::mistake(cudaError_t status, const std::string& what) {
  mistakes.push_back(what);
  return fail(status);
}

cudaError_t Runtime::enqueue(cudaStream_t stream, std::function<bool()> item) {
  if (lost != cudaSuccess) return fail(lost);
  if (CUstream_st& target = find(stream); target.capture != nullptr) {
    target.capture->nodes.push_back(std::move(item));
    return cudaSuccess;
  }
  if (!settings.execute) {  // only events and graphs come here
    item();
    return cudaSuccess;
  }
  find(stream).queue.push_back(std::move(item));
  if (std::uniform_real_distribution<>()(random) >= settings.eager) return cudaSuccess;
  const DeviceMemory::Open open(device_memory());
  for (uint64_t count = random() % 8; count > 0 && run_one(); --count) {
  }
  return lost;
}

bool Runtime::run_one() {
  std::vector<CUstream_st*> ready;
  for (CUstream_st* stream : streams) ready.push_back(stream);
  for (CUstream_st& stream : default_streams) ready.push_back(&stream);
  std::erase_if(ready, [](CUstream_st* stream) { return stream->queue.empty(); });
  std::shuffle(ready.begin(), ready.end(), random);
  for (CUstream_st* stream : ready) {
    try {
      if (!stream->queue.front()()) continue;
      stream->queue.pop_front();
    } catch (const std::exception& error) {
      words = error.what();
      mistake(lost = cudaErrorLaunchFailure, words);
      for (CUstream_st* each : ready) each->queue.clear();
    }
    return true;
  }
  return false;
}

cudaError_t Runtime::replay(const std::function<bool()>& done) {
  if (lost != cudaSuccess) return fail(lost);
  const DeviceMemory::Open open(device_memory());
  while (!done())
    if (!run_one()) return mistake(lost = cudaErrorLaunchTimeout, "streams wait for events that never come");
  return lost;
}

cudaError_t Runtime::wait_for(CUstream_st& stream) {
  if (stream.capture) return forbid_in_capture(cudaErrorStreamCaptureUnsupported, "a wait for the captured stream");
  ++counts.waits;
  return replay([&] { return stream.queue.empty(); });
}

cudaError_t Runtime::wait_for_all() {
  if (const cudaError_t status = forbid_in_capture(cudaErrorStreamCaptureUnsupported, "a wait for all streams"))
    return status;
  ++counts.waits;
  return replay([&] {
    return std::ranges::all_of(streams, [](CUstream_st* stream) { return stream->queue.empty(); }) &&
           std::ranges::all_of(default_streams, [](const CUstream_st& stream) { return stream.queue.empty(); });
  });
}

void Runtime::run_kernel(const Work& work) {
  if (!settings.watch) return work();
  sector_log().begin_launch();
  watching = true;
  work();
  watching = false;
  const Sectors& sectors = sector_log().of_launch();
  counts.read_bytes += sectors.read * kSector;
  counts.written_bytes += sectors.written * kSector;
  if (!sectors.fault.empty()) mistakes.push_back("a kernel " + sectors.fault);
}

Counts counts() {
  const std::lock_guard lock(runtime().mutex);
  return runtime().counts;
}

std::map<const void*, int64_t> kernel_launches() {
  const std::lock_guard lock(runtime().mutex);
  return runtime().kernel_launches;
}

std::vector<std::string> take_mistakes() {
  const std::lock_guard lock(runtime().mutex);
  return std::exchange(runtime().mistakes, {});
}

int64_t live_blocks() { return device_memory().blocks(); }

void set(const Settings& settings) {
  const std::lock_guard lock(runtime().mutex);
  runtime().settings = settings;
  runtime().random.seed(settings.seed);
}

void finish() {
  const std::lock_guard lock(runtime().mutex);
  --runtime().counts.waits;
  runtime().wait_for_all();
}

void report_mistake(const std::string& what) {
  const std::lock_guard lock(runtime().mutex);
  runtime().mistakes.push_back(what);
}

bool check_range(const void* pointer, size_t bytes, const std::string& what) {
  const std::lock_guard lock(runtime().mutex);
  const std::string fault =
      device_memory().holds(pointer) ? device_memory().fault(pointer, bytes) : "the address is not the device's";
  if (!fault.empty()) runtime().mistakes.push_back(what + ": " + fault);
  runtime().keep_block(pointer);
  return fault.empty();
}

namespace {

cudaError_t enqueue_work(cudaStream_t stream, Work work) {
  Runtime& r = runtime();
  if (!r.settings.execute && r.find(stream).capture == nullptr) return r.lost;
  return r.enqueue(stream, [work = std::move(work)] {
    work();
    return true;
  });
}

}  // namespace

cudaError_t launch(const void* kernel, cudaStream_t stream, const Arguments& arguments, Work work) {
  const std::lock_guard lock(runtime().mutex);
  if (runtime().find(stream).capture != nullptr) {
    runtime().keep_arguments(arguments);
  } else {
    ++runtime().counts.kernels;
    ++runtime().kernel_launches[kernel];
  }
  return enqueue_work(stream, [work = std::move(work)] { runtime().run_kernel(work); });
}

cudaError_t call_library(cudaStream_t stream, int64_t read_bytes, int64_t written_bytes, Work work) {
  const std::lock_guard lock(runtime().mutex);
  if (runtime().find(stream).capture == nullptr) {
    ++runtime().counts.library_calls;
    runtime().counts.read_bytes += read_bytes;
    runtime().counts.written_bytes += written_bytes;
  }
  return enqueue_work(stream, std::move(work));
}

}  // namespace ghost::standin
