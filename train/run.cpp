#include <fmt/format.h>

#include "core/parallel.h"
#include "train/classify_data.h"
#include "train/trainer.h"

namespace ghost {
Run::Run(const Config& run_config, bool resuming) : config(run_config), device(Device::parse(run_config.device)) {
  GHOST_CHECK(!config.data.train.empty(),
              "data.train is not set: a folder with one folder of pictures per class is needed");
  GHOST_CHECK(!config.data.val.empty(),
              "data.val is not set: a folder like data.train, with pictures to measure on, is needed");
  training = training_loader(config);
  card = {config.model, config.input, training->data().classes};
  validation = evaluation_loader(
      {config.data.val, config.train.batch_size, config.data.workers, config.data.on_corrupt == "skip"}, card);
  GHOST_CHECK_AS(kData, steps_per_epoch() >= 1, config.data.train, ": ", training->data().samples.size(),
                 " pictures are fewer than one step takes (train.batch_size ", config.train.batch_size,
                 " x train.accumulate ", config.train.accumulate, ")");
  model = make_model(card, static_cast<uint64_t>(config.train.seed));
  if (!config.model.weights.empty() && !resuming) {
    const SafetensorsReader file(config.model.weights);
    weights_report = load_weights(*model, file, weights_prefix(file), config.model.replace_head).summary();
  }
  macs = total_macs(trace_layers(*model, config.input.size));
  model->to(device);
  optimizer = std::make_unique<Optimizer>(*model, config.optimizer);
  if (config.ema.decay > 0) ema = std::make_unique<Ema>(*model, config.ema.decay);
}

std::string Run::describe() const {
  const ImageFolder& data = training->data();
  std::string text = fmt::format(
      "model      {} width {} ({}), {:.2f} M parameters, {:.1f} M MACs at {}x{}\n"
      "data       {} pictures in {} classes to train, {} to validate\n"
      "device     {}, {} compute threads, {} loader threads\n"
      "plan       {} epochs of {} steps, batch {}{}, {} at {}",
      config.model.name, config.model.width, config.model.flavour, static_cast<double>(model->parameter_count()) / 1e6,
      static_cast<double>(macs) / 1e6, config.input.size, config.input.size, data.samples.size(), data.classes.size(),
      validation->data().samples.size(), device.name(), compute_threads(), config.data.workers, config.train.epochs,
      steps_per_epoch(), config.train.batch_size,
      config.train.accumulate > 1 ? fmt::format(" x {}", config.train.accumulate) : "", config.optimizer.name,
      learning_rate_range(config.optimizer, config.train.batch_size * config.train.accumulate).base);
  if (!weights_report.empty()) text += "\nweights    " + config.model.weights + ": " + weights_report;
  for (const std::string& name : data.empty_classes)
    text += "\nwarning: no picture of class '" + name + "' to train on";
  for (const std::string& name : validation->data().empty_classes)
    text += "\nwarning: no picture of class '" + name + "' to validate on";
  return text;
}

}  // namespace ghost
