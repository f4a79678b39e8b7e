// Inside of the cudart stand-in: streams and their replay (runtime.cpp), graphs (graphs.cpp), the public functions
// (cudart.cpp).
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <set>

#include "tests/standin/device_memory.h"
#include "tests/standin/standin.h"

// An item returns false where it must wait for an event.
struct CUstream_st {
  int device = 0;
  std::deque<std::function<bool()>> queue;
  cudaGraph_t capture = nullptr;  // what is put on the stream is recorded there
};

// What a stream was given while it was captured, in order.
struct CUgraph_st {
  std::vector<std::function<bool()>> nodes;
  std::set<const void*> blocks;  // of the device, by address: those that the nodes may touch
  bool relaxed = false, broken = false;
};

struct CUgraphExec_st {
  std::shared_ptr<const CUgraph_st> graph;
  std::shared_ptr<int64_t> running = std::make_shared<int64_t>(0);  // launches that are not done
};

struct CUevent_st {
  struct State {
    int64_t recorded = 0, done = 0;
  };
  std::shared_ptr<State> state = std::make_shared<State>();
};

namespace ghost::standin {

struct Runtime {
  std::recursive_mutex mutex;
  Settings settings;
  std::mt19937_64 random{1};
  Counts counts;
  std::vector<Counts> at_graph_launches;
  std::map<const void*, int64_t> kernel_launches;
  std::vector<std::string> mistakes;
  int device = 0;
  std::set<CUstream_st*> streams;
  std::vector<CUstream_st> default_streams{16};  // by device
  CUstream_st* captured = nullptr;               // one at a time
  std::set<cudaGraph_t> graphs;
  std::set<cudaGraphExec_t> launchables;
  struct Pinned {
    size_t bytes;
    std::shared_ptr<int64_t> pending = std::make_shared<int64_t>(0);  // copies that are not done
  };
  std::map<const char*, Pinned> pinned;  // host memory
  cudaError_t last = cudaSuccess;        // what cudaGetLastError gives
  cudaError_t lost = cudaSuccess;        // a kernel's mistake: every later call fails
  std::string words;                     // of the mistake

  CUstream_st& find(cudaStream_t stream);  // null: the device's default stream
  cudaError_t enqueue(cudaStream_t stream, std::function<bool()> item);
  // Runs queued work until `done` says so; fails where nothing can run.
  cudaError_t replay(const std::function<bool()>& done);
  cudaError_t wait_for(CUstream_st& stream);
  cudaError_t wait_for_all();
  cudaError_t fail(cudaError_t status) { return last = status; }
  cudaError_t mistake(cudaError_t status, const std::string& what);
  void run_kernel(const Work& work);
  // What a capture forbids: success where none is under way, else the mistake, which spoils the capture.
  cudaError_t forbid_in_capture(cudaError_t status, const std::string& call);
  // Blocks that the present capture's nodes touch.
  void keep_block(const void* pointer);
  void keep_arguments(const Arguments& arguments);
  Pinned* find_pinned(const void* pointer, size_t bytes);

 private:
  bool run_one();  // false where every queue is empty or waits
};

Runtime& runtime();

}  // namespace ghost::standin
