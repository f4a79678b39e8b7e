// A training or inference step on a GPU that is described, not there: the network goes through the step on the meta
// device (core/meta.h), and what its CUDA code would start, move and hold is added up. Computed, not measured.
#pragma once

#include "core/meta.h"
#include "train/gpu_device.h"
#include "train/weights.h"

namespace ghost {

struct GpuPlanOptions {
  Config config;  // loss, optimizer, averaging and accumulation of the step
  bool training = true;
  int64_t batch_size = 32;
  GpuDevice gpu;
};

// A layer, or what stands between layers: an addition, the loss, the optimizer.
struct PlannedRow {
  std::string name, kind;
  std::vector<std::string>
      plans;  // engines of cuDNN, in the order of the calls; empty without cuDNN or where it has no part
  int64_t cudnn = 0, cublaslt = 0, own = 0;  // launches; a library's call counts as one
  int64_t forward_bytes = 0, backward_bytes = 0, flops = 0, workspace = 0;
  double floor_ms = 0;
};

// Bytes. `peak` is the most that is in use at once in a step; `held` is what the allocator keeps, its cache included.
struct PlannedMemory {
  int64_t weights = 0, moments = 0, average = 0;  // average: of the weights (ema)
  int64_t batch = 0, activations = 0;             // activations: what the forward pass keeps
  int64_t gradients = 0;                          // of the parameters
  int64_t peak = 0, held = 0;
};

struct GpuPlan {
  std::vector<PlannedRow> rows;
  PlannedMemory memory;
  int64_t launches = 0, bytes = 0, flops = 0;  // of a step, without copies between host and device
  int64_t host_copies = 0, host_copy_bytes = 0;
  int64_t host_waits = 0;  // of these copies those to the host, for which it waits
  int64_t workspace = 0;   // the largest of a plan; where none was made, the limit
  bool workspace_known = false;
  std::string no_plans;       // why cuDNN made none
  double floor_ms = 0;        // every kernel at the device's bandwidth or peak
  int64_t fused_bytes = 0;    // maps that a fully fused step would move
  int64_t total = 0;          // held + workspace where unknown + kContextBytes
  int64_t largest_batch = 0;  // 0: not even one picture
};

// What the driver, its kernels and the libraries take beside our allocator: an allowance, not known without a card.
inline constexpr int64_t kContextBytes = int64_t{1} << 30;

GpuPlan plan_gpu(Classifier& model, const ModelCard& card, const GpuPlanOptions& options);
GpuPlan plan_gpu(Detector& model, const ModelCard& card, const GpuPlanOptions& options);

// GpuPlan::largest_batch of a training step where `memory` bytes are left beside the driver's share.
int64_t largest_training_batch(const ModelCard& card, const Config& config, int64_t memory);

}  // namespace ghost
