// Stream capture and graphs, as the public documentation describes them: a captured stream runs nothing, what it is
// given is kept, and a launch gives all of it to a stream again. Forks to other streams are not stood in for.
#include <cstring>
#include <utility>

#include "tests/standin/runtime.h"

namespace ghost::standin {

cudaError_t Runtime::forbid_in_capture(cudaError_t status, const std::string& call) {
  if (captured == nullptr) return cudaSuccess;
  captured->capture->broken = true;
  return mistake(status, call + " while a stream is captured");
}

void Runtime::keep_block(const void* pointer) {
  if (captured == nullptr) return;
  if (const void* const block = device_memory().live_block(pointer)) captured->capture->blocks.insert(block);
}

// As a collector of garbage would: whatever looks like an address of the device is one.
void Runtime::keep_arguments(const Arguments& arguments) {
  for (size_t at = 0; at + sizeof(void*) <= arguments.bytes; at += sizeof(void*)) {
    const void* pointer = nullptr;
    std::memcpy(&pointer, static_cast<const char*>(arguments.data) + at, sizeof(pointer));
    keep_block(pointer);
  }
}

Runtime::Pinned* Runtime::find_pinned(const void* pointer, size_t bytes) {
  const char* const at = static_cast<const char*>(pointer);
  auto after = pinned.upper_bound(at);
  if (after == pinned.begin()) return nullptr;
  auto& [begin, block] = *std::prev(after);
  return at + bytes <= begin + block.bytes ? &block : nullptr;
}

int64_t live_graphs() {
  const std::lock_guard lock(runtime().mutex);
  return static_cast<int64_t>(runtime().graphs.size() + runtime().launchables.size());
}

std::vector<Counts> counts_at_graph_launches() {
  const std::lock_guard lock(runtime().mutex);
  return runtime().at_graph_launches;
}

int64_t pinned_blocks() {
  const std::lock_guard lock(runtime().mutex);
  return static_cast<int64_t>(runtime().pinned.size());
}

}  // namespace ghost::standin

using ghost::standin::Runtime;
using ghost::standin::runtime;

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  if (r.lost != cudaSuccess) return r.fail(r.lost);
  if (stream == nullptr || r.captured != nullptr)
    return r.mistake(cudaErrorStreamCaptureUnsupported, "a capture of the default stream, or one inside of another");
  r.captured = &r.find(stream);
  r.captured->capture = *r.graphs.insert(new CUgraph_st).first;
  r.captured->capture->relaxed = mode == cudaStreamCaptureModeRelaxed;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  *graph = nullptr;
  if (r.captured == nullptr || r.captured != &r.find(stream))
    return r.mistake(cudaErrorInvalidValue, "the end of a capture that did not begin");
  *graph = std::exchange(r.captured->capture, nullptr);
  r.captured = nullptr;
  if (!(*graph)->broken) return cudaSuccess;
  r.graphs.erase(*graph);
  delete std::exchange(*graph, nullptr);
  return r.fail(cudaErrorStreamCaptureInvalidated);
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* launchable, cudaGraph_t graph, unsigned long long) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  if (!r.graphs.contains(graph)) return r.mistake(cudaErrorInvalidValue, "a graph that does not exist");
  *launchable = *r.launchables.insert(new CUgraphExec_st{std::make_shared<CUgraph_st>(*graph)}).first;
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t launchable, cudaStream_t stream) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  if (!r.launchables.contains(launchable)) return r.mistake(cudaErrorInvalidValue, "launch of a graph that is gone");
  if (r.find(stream).capture) return r.forbid_in_capture(cudaErrorStreamCaptureUnsupported, "launch of a graph");
  const std::shared_ptr<const CUgraph_st> graph = launchable->graph;
  ++r.counts.graph_launches;
  r.counts.graph_nodes += static_cast<int64_t>(graph->nodes.size());
  r.at_graph_launches.push_back(r.counts);
  if (!r.settings.execute) return r.lost;
  ++*launchable->running;
  for (size_t i = 0; i < graph->nodes.size(); ++i)
    if (const cudaError_t status = r.enqueue(stream, [graph, i] { return graph->nodes[i](); })) return status;
  return r.enqueue(stream, [running = launchable->running] {
    --*running;
    return true;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  if (r.graphs.erase(graph) == 0) return r.mistake(cudaErrorInvalidValue, "a graph destroyed twice");
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t launchable) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  if (r.launchables.erase(launchable) == 0) return r.mistake(cudaErrorInvalidValue, "a graph destroyed twice");
  const bool runs = *launchable->running > 0;
  delete launchable;
  return runs ? r.mistake(cudaErrorInvalidValue, "a graph destroyed while it runs") : cudaSuccess;
}

}  // extern "C"
