#include "tests/standin/training.h"

#include <cmath>

#include "layers/models/detector.h"
#include "losses/cross_entropy.h"
#include "losses/yolo_loss.h"
#include "tests/support/random_tensor.h"

namespace ghost::standin {
namespace {

// Moves what starts at a constant (batch norms and biases), so that no unit lies on its ReLU's kink by construction.
void shake(Module& module) {
  uint64_t seed = 100;
  for (const NamedParameter& parameter : module.parameters()) {
    const Tensor& value = parameter.variable.value();
    ++seed;
    if (!parameter.decays()) value.add_in_place(test::random_tensor(value.shape(), value.options(), seed, -0.3, 0.3));
  }
}

class ClassifierCase : public Training {
 public:
  ClassifierCase(const Device& device, const ClassifierTraining& options)
      : device_(device),
        options_(options),
        model_(make_model({.width = options.width,
                           .num_classes = options.classes,
                           .flavour = options.keras ? Flavour::kKeras : Flavour::kTorch,
                           .seed = 7})) {
    shake(*model_);
    model_->to(device);
  }
  Module& module() override { return *model_; }

  // A third of the batches is mixed with a second label, as mixup and CutMix do.
  Variable loss(uint64_t number) override {
    const Tensor images = test::random_tensor({options_.batch, options_.size, options_.size, 3}, {}, 10 + number);
    const Variable logits =
        model_->forward(Variable(images.to(device_).to(options_.maps)), {.seed = 3, .stream = number});
    ClassTargets targets{labels(7).to(device_), {}, {}};
    if (number % 3 == 2) {
      targets.other_labels = labels(3).to(device_);
      targets.mix = Tensor::full({options_.batch}, 0.7, logits.value().options());
    }
    return softmax_cross_entropy(logits, targets, 0.1);
  }

 private:
  Tensor labels(int64_t step) const {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < options_.batch; ++i) values.push_back(i * step % 5);
    return Tensor::from(values, {options_.batch});
  }

  Device device_;
  ClassifierTraining options_;
  std::unique_ptr<Classifier> model_;
};

class DetectorCase : public Training {
 public:
  DetectorCase(const Device& device, bool keras, DType maps)
      : device_(device),
        maps_(maps),
        model_(make_detector(
            {.width = 0.5, .num_classes = 3, .flavour = keras ? Flavour::kKeras : Flavour::kTorch, .seed = 5})) {
    shake(*model_);
    model_->to(device);
    for (const float side : {6, 9, 14, 20, 28, 36, 44, 52, 60}) loss_.anchors.push_back({side, side * 0.8f});
    loss_.num_classes = 3;
    loss_.generation = keras ? 2 : 3;
    totals_ = Tensor::zeros({kYoloTotals}, {DType::kFloat64, device});
  }
  Module& module() override { return *model_; }

  Variable loss(uint64_t number) override {
    const Tensor images = test::random_tensor({2, 64, 64, 3}, {}, 30 + number);
    const DetectionTargets targets{Tensor::from<float>({20, 24, 12, 10, 40, 30, 50, 40, 33, 33, 8, 6}, {3, 4}),
                                   Tensor::from<int64_t>({0, 2, 1}, {3}), Tensor::from<int64_t>({0, 2, 3}, {3})};
    return yolo_loss(model_->forward(Variable(images.to(device_).to(maps_))), targets, loss_, totals_);
  }

 private:
  Device device_;
  DType maps_;
  std::unique_ptr<Detector> model_;
  YoloLossOptions loss_;
  Tensor totals_;
};

double norm(const std::vector<double>& values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

Difference compare(const std::vector<NamedTensor>& actual, const std::vector<NamedTensor>& expected) {
  Difference result;
  const double all = norm_of(expected);
  double squares = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double apart = distance(actual[i].tensor, expected[i].tensor);
    squares += apart * apart;
    const double error = apart / std::max(norm_of({expected[i]}), 0.01 * all);
    if (error <= result.worst) continue;
    result.worst = error;
    result.where = expected[i].name;
  }
  result.whole = std::sqrt(squares) / all;
  return result;
}

}  // namespace

Optimizer& Training::optimizer() {
  if (!optimizer_) optimizer_ = std::make_unique<Optimizer>(module(), config, scales_loss);
  return *optimizer_;
}

void Training::step(uint64_t number) {
  TapeScope tape;
  const Variable loss = this->loss(number);
  tape.tape().backward(loss, optimizer().loss_gradient(1));
  losses_.add(loss.value());  // as the trainer does, which reads the sum now and then
  optimizer().step(config.learning_rate, 1.0);
}

StepResult Training::observed_step(uint64_t number) {
  StepResult result;
  TapeScope tape;
  const Variable loss = this->loss(number);
  tape.tape().backward(loss, optimizer().loss_gradient(1));
  result.loss = loss.value().item();
  for (const NamedParameter& parameter : module().parameters())
    result.gradients.push_back({parameter.name, parameter.variable.grad().clone().to(Device::cpu())});
  optimizer().step(config.learning_rate, 1.0);
  return result;
}

Difference step_on_both(Training& on_cpu, Training& on_cuda, uint64_t number) {
  const StepResult expected = on_cpu.observed_step(number), actual = on_cuda.observed_step(number);
  const std::vector<NamedTensor> theirs = on_cuda.state(), ours = on_cpu.state();
  for (size_t i = 0; i < ours.size(); ++i) theirs[i].tensor.copy_from(ours[i].tensor);
  Difference difference = compare(actual.gradients, expected.gradients);
  difference.loss = std::abs(actual.loss - expected.loss) / expected.loss;
  return difference;
}

std::vector<NamedTensor> Training::state() {
  std::vector<NamedTensor> all = module().state();
  for (const NamedTensor& moment : optimizer().state("optimizer.")) all.push_back(moment);
  return all;
}

std::unique_ptr<Training> classifier_on(const Device& device, const ClassifierTraining& options) {
  auto training = std::make_unique<ClassifierCase>(device, options);
  training->scales_loss = options.maps == DType::kFloat16;
  return training;
}

std::unique_ptr<Training> detector_on(const Device& device, bool keras, DType maps) {
  auto training = std::make_unique<DetectorCase>(device, keras, maps);
  training->scales_loss = maps == DType::kFloat16;
  return training;
}

double distance(const Tensor& a, const Tensor& b) {
  std::vector<double> difference = a.to_vector();
  const std::vector<double> other = b.to_vector();
  for (size_t i = 0; i < other.size(); ++i) difference[i] -= other[i];
  return norm(difference);
}

double norm_of(const std::vector<NamedTensor>& tensors) {
  double squares = 0;
  for (const NamedTensor& item : tensors) squares += std::pow(norm(item.tensor.to_vector()), 2);
  return std::sqrt(squares);
}

}  // namespace ghost::standin
