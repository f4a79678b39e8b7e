#include "train/task.h"

#include <cmath>
#include <utility>

#include "layers/layer_scope.h"

namespace ghost {

std::unique_ptr<Task> make_task(const Config& config, const Device& device, bool resuming) {
  return config.task == "detect" ? make_detect_task(config, device, resuming)
                                 : make_classify_task(config, device, resuming);
}

std::string divergence_advice(const std::string& files) {
  const std::string advice =
      "Lower optimizer.learning_rate, lengthen schedule.warmup_epochs or set train.max_grad_norm.";
  return files.empty() ? advice : advice + " Pictures of the batch:" + files;
}

Tensor backward_batch(const Task& task, int64_t step, const Tensor& dloss, const std::function<Variable()>& forward) {
  TapeScope tape;
  const Variable loss = forward();
  if (loss.device().is_cpu()) {
    const double value = loss.value().item();
    GHOST_CHECK_AS(kNonFinite, std::isfinite(value), "the loss is ", value, " at step ", step,
                   ". First non-finite value: ", first_non_finite(forward), "\n",
                   divergence_advice(task.batch_files()));
  }
  tape.tape().backward(loss, dloss);
  return loss.value();
}

void LossSum::add(const Tensor& loss) {
  if (loss.device().is_cpu()) {
    on_host_ += loss.item();
    return;
  }
  if (!on_device_.defined()) on_device_ = Tensor::zeros(loss.shape(), loss.options());
  on_device_.add_in_place(loss);
}

double LossSum::take() {
  double sum = std::exchange(on_host_, 0);
  if (on_device_.defined()) {
    sum += on_device_.item();
    on_device_.fill(0);
  }
  GHOST_CHECK_AS(kNonFinite, std::isfinite(sum), "the loss is ", sum);
  return sum;
}

}  // namespace ghost
