// Streams and events that go with their owner. Included by CUDA sources only.
#pragma once

#include "core/cuda.h"

namespace ghost {

class CudaStream {
 public:
  explicit CudaStream(const Device& device);
  ~CudaStream();
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;

  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

// A place in a stream's work. One that was never recorded has been reached.
class CudaEvent {
 public:
  explicit CudaEvent(const Device& device);
  ~CudaEvent();
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  void record(cudaStream_t stream) { GHOST_CUDA_CALL(cudaEventRecord(event_, stream)); }
  // What comes on `stream` from now on runs after the place that was recorded last.
  void hold(cudaStream_t stream) const { GHOST_CUDA_CALL(cudaStreamWaitEvent(stream, event_, 0)); }
  // The host waits for it.
  void wait() const { GHOST_CUDA_CALL(cudaEventSynchronize(event_)); }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace ghost
