#include <map>
#include <utility>

#include "core/block_pool_cuda.h"
#include "core/cuda.h"
#include "core/work_graphs.h"

namespace ghost {
namespace {

// What `work` puts on the device's stream, ready to be launched.
class CudaGraph {
 public:
  CudaGraph(const Device& device, const std::function<void()>& work) : stream_(current_stream(device)) {
    // Relaxed: the allocator may ask the driver for a block, which is no work of the stream.
    GHOST_CUDA_CALL(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed));
    cudaGraph_t graph = nullptr;
    try {
      work();
    } catch (...) {
      static_cast<void>(cudaStreamEndCapture(stream_, &graph));
      static_cast<void>(cudaGetLastError());
      if (graph != nullptr) static_cast<void>(cudaGraphDestroy(graph));
      throw;
    }
    GHOST_CUDA_CALL(cudaStreamEndCapture(stream_, &graph));
    const cudaError_t status = cudaGraphInstantiateWithFlags(&launchable_, graph, 0);
    static_cast<void>(cudaGraphDestroy(graph));
    check_cuda(status, "cudaGraphInstantiateWithFlags");
  }
  ~CudaGraph() {
    if (const cudaError_t status = cudaGraphExecDestroy(launchable_); status != cudaSuccess)
      log_cuda_failure("cudaGraphExecDestroy", cudaGetErrorString(status));
  }
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;

  void launch() const { GHOST_CUDA_CALL(cudaGraphLaunch(launchable_, stream_)); }

 private:
  const cudaStream_t stream_;
  cudaGraphExec_t launchable_ = nullptr;
};

}  // namespace

class WorkGraphs::Graphs {
 public:
  explicit Graphs(const Device& device)
      : device_(device), stream_(current_stream(device)), memory_(std::make_shared<BlockPool>(device)) {}
  ~Graphs() {
    // A launched graph may still run.
    if (const cudaError_t status = cudaStreamSynchronize(stream_); status != cudaSuccess)
      log_cuda_failure("cudaStreamSynchronize", cudaGetErrorString(status));
  }
  Graphs(const Graphs&) = delete;
  Graphs& operator=(const Graphs&) = delete;

  void run(const std::string& key, const std::function<void()>& work) {
    Kind& kind = kinds_[key];
    kind.used = ++runs_;
    if (!kind.graph) {
      if (!std::exchange(kind.ran, true) || !make_room()) return work();
      const BlockPool::Scope scope(*memory_);
      kind.graph = std::make_unique<CudaGraph>(device_, work);
    }
    kind.graph->launch();
  }

 private:
  struct Kind {
    bool ran = false;
    int64_t used = 0;
    std::unique_ptr<CudaGraph> graph;
  };

  bool make_room() {
    int64_t kept = 0;
    Kind* oldest = nullptr;
    for (auto& [key, kind] : kinds_) {
      if (!kind.graph) continue;
      ++kept;
      if (!oldest || kind.used < oldest->used) oldest = &kind;
    }
    if (kept < kMost) return true;
    if (runs_ - oldest->used < kIdle) return false;
    GHOST_CUDA_CALL(cudaStreamSynchronize(stream_));
    oldest->graph.reset();
    return true;
  }

  const Device device_;
  const cudaStream_t stream_;
  const std::shared_ptr<BlockPool> memory_;  // of all graphs: they run one after another
  std::map<std::string, Kind> kinds_;
  int64_t runs_ = 0;
};

WorkGraphs::WorkGraphs(const Device& device, bool enabled)
    : graphs_(enabled && device.is_cuda() ? std::make_shared<Graphs>(device) : nullptr) {}

void WorkGraphs::run(const std::string& key, const std::function<void()>& work) {
  if (graphs_) return graphs_->run(key, work);
  work();
}

}  // namespace ghost
