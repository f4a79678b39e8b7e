#include "train/trainer.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <utility>

#include "core/atomic_file.h"
#include "data/draw.h"
#include "data/image_write.h"
#include "train/classify_data.h"
#include "train/interrupt.h"
#include "train/progress.h"
#include "train/svg_plot.h"

namespace ghost {
namespace {

constexpr int64_t kDrawnBatches = 3;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::vector<std::string> metric_columns() {
  return {"epoch",           "step",     "seconds",  "images_per_second", "learning_rate", "train/loss",
          "train/grad_norm", "val/loss", "val/top1", "val/top5"};
}

}  // namespace

Trainer::Trainer(Run& run, const RunFolder& folder, Log& log)
    : run_(run),
      folder_(folder),
      log_(log),
      metrics_(folder.metrics_file(), metric_columns()),
      step_(*run.model, *run.optimizer, run.ema.get(), run.config, run.device),
      saved_at_(now()) {}

void Trainer::resume() {
  state_ = load_checkpoint(folder_.last_checkpoint(), run_.parts());
  const std::vector<std::string> classes = read_checkpoint_header(folder_.last_checkpoint()).card.classes;
  GHOST_CHECK_AS(kData, classes == run_.card.classes, run_.config.data.train, ": its ", run_.card.classes.size(),
                 " classes are not the ", classes.size(), " that this run began with");
  metrics_.truncate_after("epoch", static_cast<double>(state_.epoch));
  log_.line(fmt::format("resumed    after {} epochs and {} steps", state_.epoch, state_.step_in_epoch));
}

int Trainer::train() {
  const int64_t epochs = run_.config.train.epochs;
  if (state_.epoch >= epochs) {
    log_.line(fmt::format("this run has finished its {} epochs. To train on, start a new run with model.weights={}",
                          epochs, folder_.path()));
    return 0;
  }
  log_.line("results    " + folder_.path());
  while (state_.epoch < epochs) {
    if (!train_epoch()) {
      save_last();
      log_.line(fmt::format("stopped by signal {} at step {}; go on with: ghosttrain train --resume {}", interrupted(),
                            state_.step, folder_.path()));
      return 128 + interrupted();
    }
    finish_epoch();
    save_last();
    keep_epoch();
  }
  log_.line(summary());
  return 0;
}

double Trainer::learning_rate() const {
  const Config& config = run_.config;
  const LearningRateRange range =
      learning_rate_range(config.optimizer, config.train.batch_size * config.train.accumulate);
  const double progress = static_cast<double>(state_.step_in_epoch) / static_cast<double>(run_.steps_per_epoch());
  return learning_rate_at(config.schedule, range, config.train.epochs, static_cast<double>(state_.epoch) + progress);
}

bool Trainer::train_step() {
  double loss = 0;
  for (int64_t i = 0; i < run_.config.train.accumulate; ++i) {
    const Batch* batch = run_.training->next();
    GHOST_ASSERT(batch != nullptr, "the loader ended before the epoch's ", run_.steps_per_epoch(), " steps");
    if (state_.epoch == 0 && state_.step < kDrawnBatches && i == 0) draw_batch(*batch);
    state_.corrupt_samples += batch->skipped;
    loss += step_.add_batch(*batch, run_.training->data());
  }
  state_.norm_sum += step_.finish(learning_rate());
  state_.loss_sum += loss / static_cast<double>(run_.config.train.accumulate);
  ++state_.step;
  ++state_.step_in_epoch;
  return state_.step_in_epoch < run_.steps_per_epoch();
}

bool Trainer::train_epoch() {
  const Config& config = run_.config;
  const int64_t steps = run_.steps_per_epoch(), step_images = config.train.batch_size * config.train.accumulate;
  const bool plain = state_.epoch >= config.train.epochs - config.schedule.no_aug_epochs;
  run_.training->set_augment(plain ? without_augmentation(config.augment) : augment_of(config.augment));
  run_.training->start_epoch(state_.epoch, state_.step_in_epoch * step_images);
  run_.model->set_training(true);

  const double waited_before = run_.training->wait_seconds();
  Progress progress(log_, {.label = fmt::format("epoch {}/{}", state_.epoch + 1, config.train.epochs),
                           .steps = steps,
                           .first_step = state_.step_in_epoch,
                           .steps_after = (config.train.epochs - state_.epoch - 1) * steps});
  const int64_t first_step = state_.step_in_epoch;
  double mark = now();
  for (bool more = state_.step_in_epoch < steps; more;) {
    more = train_step();
    const double time = now();
    state_.seconds += time - mark;
    state_.epoch_seconds += time - mark;
    mark = time;
    for (const std::string& message : run_.training->take_corrupt_messages()) log_.warn(message);
    progress.update({state_.step_in_epoch, (state_.step_in_epoch - first_step) * step_images,
                     state_.loss_sum / static_cast<double>(state_.step_in_epoch), learning_rate()});
    if (interrupted()) return false;
    if (more && time_to_save()) save_last();
  }
  const double waited = run_.training->wait_seconds() - waited_before;
  if (waited > 0.25 * progress.seconds())
    log_.warn(fmt::format(
        "training waited {:.0f} of {:.0f} s for pictures: more data.workers or data.cache=memory would help", waited,
        progress.seconds()));
  return true;
}

bool Trainer::time_to_save() const {
  const double minutes = run_.config.checkpoint.every_minutes;
  return minutes > 0 && now() - saved_at_ >= 60 * minutes;
}

void Trainer::finish_epoch() {
  const Config& config = run_.config;
  const double steps = static_cast<double>(run_.steps_per_epoch());
  const double images = steps * static_cast<double>(config.train.batch_size * config.train.accumulate);
  const double rate = learning_rate();
  const Ema::Scope averaged(run_.ema.get());
  const ClassifierMetrics metrics =
      with_context([&] { return str("the evaluation after step ", state_.step, ", epoch ", state_.epoch + 1); },
                   [&] { return evaluate_classifier(*run_.model, *run_.validation, run_.device); });
  for (const std::string& message : run_.validation->take_corrupt_messages()) log_.warn(message);

  ++state_.epoch;
  state_.step_in_epoch = 0;
  const double loss = std::exchange(state_.loss_sum, 0) / steps, norm = std::exchange(state_.norm_sum, 0) / steps;
  const double speed = images / std::exchange(state_.epoch_seconds, 0);
  const bool best = metrics.top1 > state_.best_metric;
  metrics_.append({{"epoch", static_cast<double>(state_.epoch)},
                   {"step", static_cast<double>(state_.step)},
                   {"seconds", state_.seconds},
                   {"images_per_second", speed},
                   {"learning_rate", rate},
                   {"train/loss", loss},
                   {"train/grad_norm", norm},
                   {"val/loss", metrics.loss},
                   {"val/top1", metrics.top1},
                   {"val/top5", metrics.top5}});
  log_.line(fmt::format(
      "epoch {}/{}  train loss {:.4f}  val loss {:.4f}  top-1 {:.2f}%  top-5 {:.2f}%  {:.0f} images/s{}", state_.epoch,
      config.train.epochs, loss, metrics.loss, 100 * metrics.top1, 100 * metrics.top5, speed, best ? "  best" : ""));
  if (best) save_best(metrics);
  draw_curves();
}

void Trainer::save_best(const ClassifierMetrics& metrics) {
  state_.best_metric = metrics.top1;
  state_.best_epoch = state_.epoch;
  save_weights(folder_.best_checkpoint(), *run_.model, run_.card);
  write_file_atomically(folder_.plot_file("confusion.svg"), svg_confusion(run_.card.classes, metrics.confusion));
}

void Trainer::save_last() {
  save_checkpoint(folder_.last_checkpoint(), run_.parts(), state_, run_.card, to_yaml(run_.config));
  saved_at_ = now();
}

void Trainer::keep_epoch() {
  const CheckpointConfig& checkpoint = run_.config.checkpoint;
  if (checkpoint.keep == 0 || checkpoint.every_epochs == 0 || state_.epoch % checkpoint.every_epochs != 0) return;
  // A second name for the same bytes: last.safetensors is replaced, never written into.
  const std::string name = folder_.epoch_checkpoint(state_.epoch);
  std::error_code no_links;
  std::filesystem::remove(name, no_links);
  std::filesystem::create_hard_link(folder_.last_checkpoint(), name, no_links);
  if (no_links) save_checkpoint(name, run_.parts(), state_, run_.card, to_yaml(run_.config));
  folder_.prune_checkpoints(checkpoint.keep);
}

void Trainer::draw_batch(const Batch& batch) {
  const auto name_of_label = [&](const Tensor& labels, int64_t i) {
    return run_.card.classes[static_cast<size_t>(labels.data<int64_t>()[i])];
  };
  std::vector<std::string> captions;
  for (int64_t i = 0; i < batch.size(); ++i)
    captions.push_back(batch.mix < 1 ? fmt::format("{:.2f} {} + {}", batch.mix, name_of_label(batch.labels, i),
                                                   name_of_label(batch.labels_b, i))
                                     : name_of_label(batch.labels, i));
  write_image(folder_.plot_file(fmt::format("train_batch_{}.jpg", state_.step)),
              batch_mosaic(batch.images, captions, run_.training->preprocess()));
}

void Trainer::draw_curves() const {
  const std::vector<double> epochs = metrics_.column("epoch");
  const auto curve = [&](const char* name) { return Curve{name, epochs, metrics_.column(name)}; };
  write_file_atomically(folder_.plot_file("curves.svg"),
                        svg_curves({{"loss", "epoch", "cross entropy", {curve("train/loss"), curve("val/loss")}},
                                    {"accuracy", "epoch", "share", {curve("val/top1"), curve("val/top5")}},
                                    {"learning rate", "epoch", "", {curve("learning_rate")}}}));
}

std::string Trainer::summary() const {
  return fmt::format(
      "done       best top-1 {:.2f}% in epoch {}, {:.0f} s of training\n"
      "weights    {}\n"
      "next       ghosttrain val {}   |   ghosttrain predict {} PICTURE ...   |   ghosttrain export {} --to "
      "FILE.safetensors",
      100 * state_.best_metric, state_.best_epoch, state_.seconds, folder_.best_checkpoint(), folder_.path(),
      folder_.path(), folder_.path());
}

}  // namespace ghost
