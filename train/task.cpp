#include "train/task.h"

#include <cmath>

#include "layers/layer_scope.h"

namespace ghost {

std::unique_ptr<Task> make_task(const Config& config, const Device& device, bool resuming) {
  return config.task == "detect" ? make_detect_task(config, device, resuming)
                                 : make_classify_task(config, device, resuming);
}

std::string divergence_advice(const std::string& files) {
  return "Lower optimizer.learning_rate, lengthen schedule.warmup_epochs or set train.max_grad_norm. Pictures of the "
         "batch:" +
         files;
}

double backward_batch(const Task& task, int64_t step, double share, const std::function<Variable()>& forward) {
  TapeScope tape;
  const Variable loss = forward();
  const double value = loss.value().item();
  GHOST_CHECK_AS(kNonFinite, std::isfinite(value), "the loss is ", value, " at step ", step,
                 ". First non-finite value: ", first_non_finite(forward), "\n", divergence_advice(task.batch_files()));
  tape.tape().backward(loss, Tensor::full({1}, share, loss.value().options()));
  return value;
}

}  // namespace ghost
