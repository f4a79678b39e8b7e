#include "train/task.h"

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

}  // namespace ghost
