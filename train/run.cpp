#include <fmt/format.h>

#include "core/parallel.h"
#include "train/trainer.h"

namespace ghost {

Run::Run(const Config& run_config, bool resuming)
    : config(run_config),
      device(Device::parse(run_config.device)),
      precision(precision_of(config.train.precision, device)),
      task(make_task(config, device, resuming)) {
  optimizer = std::make_unique<Optimizer>(task->module(), config.optimizer, precision.scales_loss);
  if (config.ema.decay > 0) ema = std::make_unique<Ema>(task->module(), config.ema.decay);
}

int64_t Run::steps_after(int64_t epoch) const {
  int64_t count = 0;
  for (int64_t later = epoch + 1; later < config.train.epochs; ++later) count += steps(later);
  return count;
}

std::string Run::describe() const {
  const auto stage = [&](int64_t first, int64_t count) {
    const int64_t batch = task->batch_size(first);
    return fmt::format("{} epochs of {} steps, batch {}{}, {} at {}", count, steps(first), batch,
                       config.train.accumulate > 1 ? fmt::format(" x {}", config.train.accumulate) : "",
                       config.optimizer.name, learning_rate_range(config.optimizer, step_images(first)).base);
  };
  const int64_t epochs = config.train.epochs, frozen = std::min(config.train.freeze_epochs, epochs);
  std::string plan = frozen > 0 ? stage(0, frozen) + ", backbone frozen" : "";
  if (frozen < epochs) plan += (frozen > 0 ? "; then " : "") + stage(frozen, epochs - frozen);
  return fmt::format("{}\ndevice     {}, {} compute threads, {} loader threads{}\nplan       {}", task->describe(),
                     device.name(), compute_threads(), config.data.workers,
                     config.train.precision == "fp32" ? "" : ", maps in " + config.train.precision, plan);
}

}  // namespace ghost
