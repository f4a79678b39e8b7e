// Inside of the cudart stand-in: streams and their replay (runtime.cpp), the public functions (cudart.cpp).
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
  std::map<const void*, int64_t> kernel_launches;
  std::vector<std::string> mistakes;
  int device = 0;
  std::set<CUstream_st*> streams;
  std::vector<CUstream_st> default_streams{16};  // by device
  cudaError_t last = cudaSuccess;                // what cudaGetLastError gives
  cudaError_t lost = cudaSuccess;                // a kernel's mistake: every later call fails
  std::string words;                             // of the mistake

  CUstream_st& find(cudaStream_t stream);  // null: the device's default stream
  cudaError_t enqueue(cudaStream_t stream, std::function<bool()> item);
  // Runs queued work until `done` says so; fails where nothing can run.
  cudaError_t replay(const std::function<bool()>& done);
  cudaError_t wait_for(CUstream_st& stream);
  cudaError_t wait_for_all();
  cudaError_t fail(cudaError_t status) { return last = status; }
  cudaError_t mistake(cudaError_t status, const std::string& what);
  void run_kernel(const Work& work);

 private:
  bool run_one();  // false where every queue is empty or waits
};

Runtime& runtime();

}  // namespace ghost::standin
