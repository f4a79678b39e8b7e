#include "train/gpu_plan.h"

#include <algorithm>
#include <map>

#include "core/allocator.h"
#include "kernels/planned_convolution.h"
#include "kernels/tf32.h"
#include "losses/cross_entropy.h"
#include "train/bench.h"
#include "train/detect_data.h"
#include "train/optimizer.h"
#include "train/precision.h"

namespace ghost {
namespace {

constexpr int64_t kMostPictures = 65536;  // the search for the largest batch ends here

int64_t in_use() { return memory_stats(Device::meta()).in_use; }

// What a batch brings to the device, and what the loss of its pictures is.
struct PlannedBatch {
  Tensor images;
  ClassTargets classes;
  DetectionTargets boxes;
};

struct Network {
  Module& module;
  const ModelCard& card;
  std::function<Variable(const PlannedBatch&)> loss;
  std::function<void(const Variable& images)> infer;

  PlannedBatch batch(int64_t pictures) const;
};

PlannedBatch Network::batch(int64_t pictures) const {
  const int64_t size = card.input.size;
  PlannedBatch batch;
  batch.images = Tensor({pictures, size, size, 3}, {DType::kFloat32, Device::meta()});
  count_kernel({.name = meta::kToDevice, .bytes = meta::bytes_of(batch.images), .run_by = RunBy::kCopy});
  const auto classes = static_cast<int64_t>(card.classes.size());
  if (card.task == "detect")
    batch.boxes = made_up_boxes(pictures, static_cast<double>(size), classes);
  else
    batch.classes.labels = Tensor::zeros({pictures}, {DType::kInt64, Device::cpu()}).to(Device::meta());
  return batch;
}

// What a step starts, by part.
struct Counted {
  std::vector<CountedKernel> forward, backward, update;
  std::vector<LayerRecord> layers;
};

void append(std::vector<CountedKernel>& to, const KernelCount& count) {
  to.insert(to.end(), count.kernels().begin(), count.kernels().end());
}

// The network on the meta device with all that a run keeps beside it.
class Stepper {
 public:
  Stepper(const Network& network, const GpuPlanOptions& options)
      : network_(network), options_(options), precision_(precision_of(options.config.train.precision, Device::meta())) {
    release_cached(Device::meta());
    base_ = in_use();
    network.module.to(Device::meta());
    kept_.weights = in_use() - base_;
    network.module.set_training(options.training);
    if (!options.training) return;
    optimizer_ = std::make_unique<Optimizer>(network.module, options.config.optimizer, precision_.scales_loss);
    kept_.moments = in_use() - base_ - kept_.weights;
    if (options.config.ema.decay <= 0) return;
    ema_ = std::make_unique<Ema>(network.module, options.config.ema.decay);
    kept_.average = in_use() - base_ - kept_.weights - kept_.moments;
  }

  // The second of two steps: the first one fills the allocator's cache.
  PlannedMemory run(int64_t pictures, Counted* counted) {
    release_cached(Device::meta());
    Counted first;
    step(pictures, first);
    reset_peak(Device::meta());
    Counted second;
    PlannedMemory memory = step(pictures, second);
    const MemoryStats stats = memory_stats(Device::meta());
    memory.peak = stats.peak - base_;
    memory.held = stats.in_use + stats.cached - base_;
    if (counted) *counted = std::move(second);
    return memory;
  }

 private:
  Tensor loss_gradient() const {
    const ModulePath path("loss");
    return optimizer_->loss_gradient(1.0 / static_cast<double>(options_.config.train.accumulate));
  }

  PlannedMemory step(int64_t pictures, Counted& counted) {
    PlannedMemory memory = kept_;
    const int64_t micro_steps = options_.training ? options_.config.train.accumulate : 1;
    for (int64_t i = 0; i < micro_steps; ++i) micro_step(pictures, memory, counted);
    memory.gradients = in_use() - base_ - kept_.weights - kept_.moments - kept_.average;
    const KernelCount update;
    const ModulePath path("optimizer");
    if (optimizer_) optimizer_->step(options_.config.optimizer.learning_rate, options_.config.train.max_grad_norm);
    if (ema_) ema_->update(optimizer_->steps());
    append(counted.update, update);
    return memory;
  }

  void micro_step(int64_t pictures, PlannedMemory& memory, Counted& counted) {
    const int64_t before = in_use();
    const Tf32Scope tf32(precision_.tf32);
    TapeScope tape;
    const LayerTrace trace;
    Variable loss;
    {
      const KernelCount forward;
      PlannedBatch batch = network_.batch(pictures);
      batch.images = batch.images.to(precision_.maps);
      memory.batch = in_use() - before;
      if (options_.training) {
        loss = network_.loss(batch);
      } else {
        const NoGradScope no_grad;
        network_.infer(Variable(batch.images));
      }
      append(counted.forward, forward);
      counted.layers = trace.records();
      if (!options_.training) return;
      memory.activations = in_use() - before - memory.batch;
    }
    const KernelCount backward;
    tape.tape().backward(loss, loss_gradient());
    append(counted.backward, backward);
  }

  const Network& network_;
  const GpuPlanOptions& options_;
  const Precision precision_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Ema> ema_;
  int64_t base_ = 0;
  PlannedMemory kept_;
};

double floor_ms(const CountedKernel& kernel, const GpuDevice& gpu) {
  const double peak = kernel.run_by == RunBy::kOwnKernel ? gpu.fp32_flops : gpu.tensor_flops;
  return 1e3 * std::max(static_cast<double>(kernel.bytes) / gpu.bandwidth, static_cast<double>(kernel.flops) / peak);
}

// Rows in the order in which they first run.
class Table {
 public:
  Table(GpuPlan& plan, const Counted& counted, const GpuDevice& gpu) : plan_(plan), gpu_(gpu) {
    for (const LayerRecord& layer : counted.layers) kinds_[layer.name] = layer.kind;
    add(counted.forward, &PlannedRow::forward_bytes, true);
    add(counted.backward, &PlannedRow::backward_bytes, false);
    add(counted.update, &PlannedRow::backward_bytes, true);
  }

 private:
  void add(const std::vector<CountedKernel>& kernels, int64_t PlannedRow::*bytes, bool names_rows) {
    for (const CountedKernel& kernel : kernels) {
      if (kernel.run_by == RunBy::kCopy) {
        ++plan_.host_copies;
        plan_.host_copy_bytes += kernel.bytes;
        plan_.host_waits += kernel.name == meta::kToHost;
        continue;
      }
      PlannedRow& row = row_of(kernel, names_rows);
      row.cudnn += kernel.run_by == RunBy::kCudnn;
      row.cublaslt += kernel.run_by == RunBy::kCublasLt;
      row.own += kernel.run_by == RunBy::kOwnKernel;
      if (!kernel.plan.empty()) row.plans.push_back(kernel.plan);
      const double floor = floor_ms(kernel, gpu_);
      row.*bytes += kernel.bytes;
      row.flops += kernel.flops;
      row.workspace = std::max(row.workspace, kernel.workspace);
      row.floor_ms += floor;
      ++plan_.launches;
      plan_.bytes += kernel.bytes;
      plan_.flops += kernel.flops;
      plan_.workspace = std::max(plan_.workspace, kernel.workspace);
      plan_.floor_ms += floor;
    }
  }

  // What is no layer (an addition, the loss, the optimizer) is called by its kernels, those of the forward pass.
  PlannedRow& row_of(const CountedKernel& kernel, bool names_rows) {
    const std::string name = kernel.path.empty() ? "network" : kernel.path;
    const auto [place, is_new] = places_.try_emplace(name, plan_.rows.size());
    if (is_new) plan_.rows.emplace_back().name = name;
    PlannedRow& row = plan_.rows[place->second];
    if (const auto kind = kinds_.find(name); kind != kinds_.end())
      row.kind = kind->second;
    else if ((is_new || names_rows) && row.kind.find(kernel.name) == std::string::npos)
      row.kind += (row.kind.empty() ? "" : ", ") + kernel.name;
    return row;
  }

  GpuPlan& plan_;
  const GpuDevice& gpu_;
  std::map<std::string, std::string> kinds_;
  std::map<std::string, size_t> places_;
};

// The most pictures for which a step's memory stays under the device's: that of one more does not.
int64_t search_largest_batch(Stepper& stepper, int64_t memory) {
  const auto fits = [&](int64_t pictures) {
    return stepper.run(pictures, nullptr).held + kWorkspaceLimit + kContextBytes <= memory;
  };
  if (!fits(1)) return 0;
  int64_t low = 1, high = 2;
  for (; high <= kMostPictures && fits(high); high *= 2) low = high;
  while (high <= kMostPictures && high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

GpuPlan plan_network(const Network& network, const GpuPlanOptions& options) {
  GpuPlan plan;
  Stepper stepper(network, options);
  Counted counted;
  {
    const ConvolutionPlanner planner = cudnn_planner(options.gpu.properties, plan.no_plans);
    const PlannerScope scope(planner);
    plan.workspace_known = static_cast<bool>(planner);
    plan.memory = stepper.run(options.batch_size, &counted);
  }
  Table(plan, counted, options.gpu);
  const bool uses_cudnn =
      std::any_of(plan.rows.begin(), plan.rows.end(), [](const auto& row) { return row.cudnn > 0; });
  if (!plan.workspace_known && uses_cudnn) plan.workspace = kWorkspaceLimit;
  plan.total = plan.memory.held + (plan.workspace_known ? 0 : plan.workspace) + kContextBytes;
  const int64_t passes = options.training ? 3 * options.config.train.accumulate : 1;
  plan.fused_bytes = size_of(precision_of(options.config.train.precision, Device::meta()).maps) * passes *
                     fused_map_elements(counted.layers);
  plan.largest_batch = search_largest_batch(stepper, options.gpu.memory);
  return plan;
}

Network network_of(Classifier& model, const ModelCard& card, const Config& config) {
  const auto loss = [&](const PlannedBatch& batch) {
    const Variable logits = model.forward(Variable(batch.images));
    const ModulePath path("loss");
    return softmax_cross_entropy(logits, batch.classes, config.loss.label_smoothing);
  };
  return {model, card, loss, [&](const Variable& images) { model.forward(images); }};
}

Network network_of(Detector& model, const ModelCard& card, const Config& config) {
  const YoloLossOptions of_loss = loss_options_of(config, static_cast<int64_t>(card.classes.size()));
  const auto loss = [&model, of_loss](const PlannedBatch& batch) {
    const std::vector<Variable> maps = model.forward(Variable(batch.images));
    const ModulePath path("loss");
    return yolo_loss(maps, batch.boxes, of_loss);
  };
  return {model, card, loss, [&](const Variable& images) { model.forward(images); }};
}

}  // namespace

GpuPlan plan_gpu(Classifier& model, const ModelCard& card, const GpuPlanOptions& options) {
  return plan_network(network_of(model, card, options.config), options);
}

GpuPlan plan_gpu(Detector& model, const ModelCard& card, const GpuPlanOptions& options) {
  return plan_network(network_of(model, card, options.config), options);
}

int64_t largest_training_batch(const ModelCard& card, const Config& config, int64_t memory) {
  GpuPlanOptions options;
  options.config = config;
  const auto search = [&](auto& model) {
    const Network network = network_of(model, card, config);
    Stepper stepper(network, options);
    return search_largest_batch(stepper, memory + kContextBytes);
  };
  return card.task == "detect" ? search(*make_detector(card, 0)) : search(*make_model(card, 0));
}

}  // namespace ghost
