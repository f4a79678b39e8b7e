// A small network and its optimizer on a device, for tests that compare devices step by step.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/tape.h"
#include "layers/module.h"
#include "train/optimizer.h"
#include "train/task.h"

namespace ghost::standin {

// Loss and gradients of one step, on the CPU.
struct StepResult {
  double loss = 0;
  std::vector<NamedTensor> gradients;
};

// A model in training on one device. `Model` computes the loss of batch `number`.
class Training {
 public:
  virtual ~Training() = default;
  virtual Module& module() = 0;
  virtual Variable loss(uint64_t number) = 0;

  void step(uint64_t number);
  StepResult observed_step(uint64_t number);  // reads loss and gradients back before the update
  // Weights, statistics and moments: everything a step changes.
  std::vector<NamedTensor> state();
  Optimizer& optimizer();
  OptimizerConfig config{.name = "adamw", .learning_rate = 0.001};
  bool scales_loss = false;

 private:
  std::unique_ptr<Optimizer> optimizer_;
  LossSum losses_;
};

struct ClassifierTraining {
  int64_t batch = 16, size = 32, classes = 5;
  double width = 0.5;
  bool keras = false;
  DType maps = DType::kFloat32;
};
std::unique_ptr<Training> classifier_on(const Device& device, const ClassifierTraining& options);
std::unique_ptr<Training> detector_on(const Device& device, bool keras, DType maps = DType::kFloat32);

struct Difference {
  double loss = 0;    // relative
  double whole = 0;   // of all gradients as one vector, relative to its length
  double worst = 0;   // of one tensor, relative to its length or to a hundredth of all, for some are rounding alone:
  std::string where;  // biases that a batch norm undoes
};
// One step on both devices from the CPU's state, which the other takes over at the end.
Difference step_on_both(Training& on_cpu, Training& on_cuda, uint64_t number);

double distance(const Tensor& a, const Tensor& b);  // Euclidean
double norm_of(const std::vector<NamedTensor>& tensors);

}  // namespace ghost::standin
