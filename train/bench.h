// How fast a network trains and infers here, where the time goes, and how near that is to what the machine could do.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/profile.h"
#include "layers/layer_scope.h"

namespace ghost {

// What one step moves and computes at the least, per picture, on the fused schedule: a convolution reads its input's
// raw map and writes its own; backward it reads dy, z and the input and writes dx. float32, activations only.
struct WorkPerImage {
  double training_flops = 0, training_bytes = 0;
  double inference_flops = 0, inference_bytes = 0;
};

// Elements of all maps that convolutions and linear layers read and write: one input and one output map each,
// everything else fused into them.
int64_t fused_map_elements(const std::vector<LayerRecord>& layers);

// Measured just before: best of a few.
struct MachineSpeed {
  double gflops = 0;         // float32 matrix product, all compute threads
  double copy_gb_per_s = 0;  // read + written
};
MachineSpeed measure_machine();

struct BenchOptions {
  std::string model = "ghostnet";  // a classifier's or a detector's name
  double width = 1;
  int64_t batch_size = 32, size = 224;
  int64_t steps = 10;  // timed; the median counts
  bool training = true;
  Device device;
};

struct BenchResult {
  double images_per_second = 0;  // at the median step
  double median_ms = 0, fastest_ms = 0, slowest_ms = 0;
  std::map<std::string, OpTime> ops;  // over `steps` steps
  int64_t peak_bytes = 0;
  double allocations_per_step = 0;  // asked of the system
  double page_faults_per_step = 0;
  double copied_bytes_per_step =
      0;  // copies between tensors: gradients shared by two branches; concat and slice copy none
  WorkPerImage work;
  MachineSpeed machine;
  double floor_ms = 0;        // of one step: the larger of computing and moving
  double share_of_floor = 0;  // floor_ms / median_ms
};

BenchResult run_bench(const BenchOptions& options);

}  // namespace ghost
