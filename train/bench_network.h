// What the bench runs: a network with its loss on made-up labels.
#pragma once

#include <memory>
#include <vector>

#include "layers/layer_scope.h"
#include "train/bench.h"

namespace ghost {

class BenchNetwork {
 public:
  virtual ~BenchNetwork() = default;
  virtual Module& module() = 0;
  virtual std::vector<LayerRecord> layers(int64_t size) = 0;
  virtual void infer(const Variable& images) = 0;
  virtual Variable loss(const Variable& images, int64_t step) = 0;
};

// Throws kUsage for a name that is neither a classifier's nor a detector's.
std::unique_ptr<BenchNetwork> make_bench_network(const BenchOptions& options);

}  // namespace ghost
