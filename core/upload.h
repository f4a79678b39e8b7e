// Batches on their way to a device.
//
// Each is copied into one of two pinned host buffers, from there, on a stream of its own, into the device buffer that
// goes with it, and at last, in the order of the device's other work, to where that work reads it. So a batch crosses
// the bus while the device still works on the one before. The host waits only where it is more than two batches ahead.
#pragma once

#include <memory>
#include <vector>

#include "core/tensor.h"

namespace ghost {

class BatchUpload {
 public:
  // On the CPU there is nothing to do: send() gives back what it gets.
  explicit BatchUpload(const Device& device);

  // Dense tensors of the host, which may change once send() has returned; on the device for all work that is put on its
  // stream from now on. For the same shapes, types and `place` they lie at the same addresses each time, where a batch
  // overwrites the one before: a CUDA graph of the work serves all of them.
  std::vector<Tensor> send(const std::vector<Tensor>& parts, int64_t place = 0);

 private:
  class Lanes;
  std::shared_ptr<Lanes> lanes_;  // null on the CPU
};

}  // namespace ghost
