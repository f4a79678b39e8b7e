// The CUDA backend trains: the same steps as on the CPU, to the last digits of float32.
#include <gtest/gtest.h>

#include "core/allocator.h"
#include "layers/models/model.h"
#include "losses/cross_entropy.h"
#include "tests/standin/standin.h"
#include "tests/support/random_tensor.h"
#include "train/optimizer.h"

namespace ghost {
namespace {

TEST(StandinTraining, DeviceIsThere) {
  EXPECT_EQ(cuda_unavailable_reason(), "");
  EXPECT_TRUE(standin::mistakes().empty());
}

struct Step {
  double loss = 0;
  std::vector<NamedTensor> gradients;
};

class Training {
 public:
  Training(const Device& device, Flavour flavour)
      : device_(device), model_(make_model({.width = 0.5, .num_classes = 5, .flavour = flavour, .seed = 7})) {
    model_->to(device);
    optimizer_ = std::make_unique<Optimizer>(*model_, OptimizerConfig{.learning_rate = 0.01});
  }
  Step step(uint64_t number) {
    TapeScope tape;
    const Tensor images = test::random_tensor({4, 32, 32, 3}, {}, 10 + number).to(device_);
    const Tensor labels = Tensor::from<int64_t>({0, 3, 1, 4}, {4}).to(device_);
    const Variable logits = model_->forward(Variable(images), {.seed = 3, .stream = number});
    const Variable loss = softmax_cross_entropy(logits, {labels, {}, {}}, 0.1);
    tape.tape().backward(loss);
    Step result{loss.value().item(), {}};
    for (const NamedParameter& parameter : model_->parameters())
      result.gradients.push_back({parameter.name, parameter.variable.grad().to(Device::cpu())});
    optimizer_->step(0.01, 0);
    return result;
  }

 private:
  Device device_;
  std::unique_ptr<Classifier> model_;
  std::unique_ptr<Optimizer> optimizer_;
};

double norm(const std::vector<double>& v) {
  double s = 0;
  for (double x : v) s += x * x;
  return std::sqrt(s);
}

TEST(StandinTraining, TenSteps) {
  for (const Flavour flavour : {Flavour::kTorch, Flavour::kKeras}) {
    Training on_cpu(Device::cpu(), flavour), on_cuda(Device::cuda(), flavour);
    for (uint64_t i = 0; i < 10; ++i) {
      const standin::Counts before = standin::counts();
      const Step a = on_cpu.step(i), b = on_cuda.step(i);
      const standin::Counts c = standin::counts() - before;
      double worst = 0, worst_norm = 0;
      std::string name;
      for (size_t k = 0; k < a.gradients.size(); ++k) {
        const auto x = a.gradients[k].tensor.to_vector(), y = b.gradients[k].tensor.to_vector();
        std::vector<double> d;
        for (size_t j = 0; j < x.size(); ++j) d.push_back(x[j] - y[j]);
        const double e = norm(d) / norm(x);
        if (e > worst) worst = e, name = a.gradients[k].name, worst_norm = norm(x);
      }
      printf("step %lu: %.8f %.8f  worst %g in %s (norm %g)  kernels %ld lib %ld waits %ld alloc %ld\n", i, a.loss, b.loss,
             worst, name.c_str(), worst_norm, c.kernels, c.library_calls, c.waits, c.allocations);
    }
  }
  for (const std::string& m : standin::mistakes()) ADD_FAILURE() << m;
}

}  // namespace
}  // namespace ghost
