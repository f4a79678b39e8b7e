#include "train/trainer.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <utility>

#include "core/atomic_file.h"
#include "data/image_write.h"
#include "train/interrupt.h"
#include "train/progress.h"
#include "train/svg_plot.h"

namespace ghost {
namespace {

constexpr int64_t kDrawnBatches = 3;
// Losses and norms are read from a device, and a run is saved, after a multiple of so many steps: reading waits for the
// device, and a resumed run is to add them up as the first one did.
constexpr int64_t kStepsBetweenReads = 20;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::vector<std::string> metric_columns(const Task& task, bool scales_loss) {
  std::vector<std::string> names{"epoch", "step", "seconds", "images_per_second", "learning_rate"};
  for (const std::string_view name : task.training_columns()) names.emplace_back(name);
  names.emplace_back("train/grad_norm");
  if (scales_loss) names.insert(names.end(), {"train/loss_scale", "train/skipped_steps"});
  for (const std::string_view name : task.evaluation_columns()) names.emplace_back(name);
  return names;
}

}  // namespace

Trainer::Trainer(Run& run, const RunFolder& folder, Log& log)
    : run_(run),
      task_(*run.task),
      folder_(folder),
      log_(log),
      metrics_(folder.metrics_file(), metric_columns(*run.task, run.precision.scales_loss)),
      upload_(run.device),
      graphs_(run.device, run.config.train.cuda_graph != "false"),
      saved_at_(now()) {
  state_.sums.resize(task_.training_columns().size());
}

void Trainer::resume() {
  state_ = load_checkpoint(folder_.last_checkpoint(), run_.parts());
  GHOST_CHECK_AS(kWeights, state_.sums.size() == task_.training_columns().size(), folder_.last_checkpoint(),
                 ": its training state is of another task");
  const std::vector<std::string> classes = read_checkpoint_header(folder_.last_checkpoint()).card.classes;
  GHOST_CHECK_AS(kData, classes == task_.card().classes, run_.config.data.train, ": its ", task_.card().classes.size(),
                 " classes are not the ", classes.size(), " that this run began with");
  read_at_ = state_.step;
  if (state_.step_in_epoch > 0) mean_loss_ = state_.sums[0] / static_cast<double>(state_.step_in_epoch);
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
  const LearningRateRange range = learning_rate_range(config.optimizer, run_.step_images(state_.epoch));
  const double progress = static_cast<double>(state_.step_in_epoch) / static_cast<double>(run_.steps(state_.epoch));
  return learning_rate_at(config.schedule, range, config.train.epochs, static_cast<double>(state_.epoch) + progress);
}

void Trainer::apply_gradients(const Tensor& numbers) {
  Optimizer& optimizer = *run_.optimizer;
  try {
    optimizer.update(run_.config.train.max_grad_norm, numbers);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNonFinite) throw;
    GHOST_FAIL(kNonFinite, error.message(), " at step ", optimizer.steps(), ". ",
               divergence_advice(task_.batch_files()));
  }
  if (run_.ema) run_.ema->update(optimizer.steps(), numbers);
}

// Waits for the device. Steps whose gradients were not finite have changed no weight; they end the run here, unless a
// loss scale could be lowered.
void Trainer::read_sums() {
  try {
    const std::vector<double> sums = task_.take_sums();
    const double share = 1.0 / static_cast<double>(run_.config.train.accumulate);
    for (size_t k = 0; k < sums.size(); ++k) state_.sums[k] += share * sums[k];
    const int64_t skipped_before = run_.optimizer->loss_scale().skipped_steps;
    state_.norm_sum += run_.optimizer->take_norms();
    const auto& [scale, skipped] = run_.optimizer->loss_scale();
    if (skipped > skipped_before)
      log_.line(fmt::format("loss scale {} after step {}, where gradients overflowed: {} steps skipped so far", scale,
                            state_.step, skipped));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNonFinite) throw;
    GHOST_FAIL(kNonFinite, error.message(), " in one of the steps ", read_at_ + 1, " to ", state_.step, ". ",
               divergence_advice(""));
  }
  read_at_ = state_.step;
  mean_loss_ = state_.sums[0] / static_cast<double>(state_.step_in_epoch);
}

// The next batch on its way to the device; `number`: of the step's batches. With the last one goes what changes with
// the step, as its last part.
std::vector<Tensor> Trainer::take_batch(int64_t number) {
  const int64_t accumulate = run_.config.train.accumulate;
  std::vector<Tensor> parts = task_.next_batch(state_.step * accumulate + number);
  state_.corrupt_samples += task_.skipped_pictures();
  if (state_.epoch == 0 && state_.step < kDrawnBatches && number == 0)
    write_image(folder_.plot_file(fmt::format("train_batch_{}.jpg", state_.step)), task_.draw_batch());
  if (number + 1 == accumulate) {
    Optimizer& optimizer = *run_.optimizer;
    const double share = run_.ema ? 1 - run_.ema->decay(optimizer.steps() + 1) : 0;
    parts.push_back(optimizer.begin_step(learning_rate(), share));
  }
  return upload_.send(parts, number);
}

void Trainer::train_step() {
  const auto accumulate = static_cast<size_t>(run_.config.train.accumulate);
  const bool on_cpu = run_.device.is_cpu();
  std::vector<std::vector<Tensor>> batches;
  Tensor numbers;
  const auto learn = [&](size_t i) {
    task_.add_batch(batches[i], state_.step + 1, run_.optimizer->loss_gradient(1.0 / static_cast<double>(accumulate)));
    if (i + 1 == accumulate) apply_gradients(numbers);
  };
  std::string kind = task_.frozen(state_.epoch) ? "frozen" : "";
  for (size_t i = 0; i < accumulate; ++i) {
    std::vector<Tensor>& parts = batches.emplace_back(take_batch(static_cast<int64_t>(i)));
    for (const Tensor& part : parts) kind += str(' ', part.shape());
    if (i + 1 == accumulate) {
      numbers = parts.back();
      parts.pop_back();
    }
    if (on_cpu) learn(i);  // before the next batch takes its memory
  }
  if (!on_cpu)
    graphs_.run(kind, [&] {
      for (size_t i = 0; i < accumulate; ++i) learn(i);
    });
  ++state_.step;
  ++state_.step_in_epoch;
  const bool epoch_ends = state_.step_in_epoch == run_.steps(state_.epoch);
  if (on_cpu || state_.step % kStepsBetweenReads == 0 || epoch_ends) read_sums();
}

bool Trainer::train_epoch() {
  const int64_t epoch = state_.epoch, steps = run_.steps(epoch), first_step = state_.step_in_epoch;
  task_.start_epoch(epoch, first_step * run_.step_images(epoch));

  const double waited_before = task_.wait_seconds();
  Progress progress(log_, {.label = fmt::format("epoch {}/{}", epoch + 1, run_.config.train.epochs),
                           .steps = steps,
                           .first_step = first_step,
                           .steps_after = run_.steps_after(epoch)});
  double mark = now();
  while (state_.step_in_epoch < steps) {
    train_step();
    const double time = now();
    state_.seconds += time - mark;
    state_.epoch_seconds += time - mark;
    mark = time;
    for (const std::string& message : task_.take_messages()) log_.warn(message);
    progress.update({state_.step_in_epoch, (state_.step_in_epoch - first_step) * run_.step_images(epoch), mean_loss_,
                     learning_rate()});
    if (read_at_ != state_.step) continue;
    if (interrupted()) return false;
    if (state_.step_in_epoch < steps && time_to_save()) save_last();
  }
  const double waited = task_.wait_seconds() - waited_before;
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

std::vector<double> Trainer::take_means(int64_t steps) {
  std::vector<double> means;
  for (double& sum : state_.sums) means.push_back(std::exchange(sum, 0) / static_cast<double>(steps));
  return means;
}

void Trainer::finish_epoch() {
  const int64_t steps = run_.steps(state_.epoch), images = steps * run_.step_images(state_.epoch);
  const double rate = learning_rate();
  const std::vector<double> means = take_means(steps);
  task_.check_epoch(means);
  const Ema::Scope averaged(run_.ema.get());
  const Evaluation evaluation =
      with_context([&] { return str("the evaluation after step ", state_.step, ", epoch ", state_.epoch + 1); },
                   [&] { return task_.evaluate(); });
  for (const std::string& message : task_.take_messages()) log_.warn(message);

  ++state_.epoch;
  state_.step_in_epoch = 0;
  const double speed = static_cast<double>(images) / std::exchange(state_.epoch_seconds, 0);
  const bool best = evaluation.score > state_.best_metric;
  write_row(means, evaluation, rate, speed);
  log_.line(fmt::format("epoch {}/{}  train loss {:.4f}  {}  {:.0f} images/s{}", state_.epoch, run_.config.train.epochs,
                        means[0], evaluation.text, speed, best ? "  best" : ""));
  for (const std::string& line : evaluation.details) log_.line(line);
  if (best) save_best(evaluation);
  draw_curves();
}

void Trainer::write_row(const std::vector<double>& means, const Evaluation& evaluation, double rate, double speed) {
  const double norm = std::exchange(state_.norm_sum, 0) / static_cast<double>(run_.steps(state_.epoch - 1));
  std::vector<std::pair<std::string_view, double>> row{{"epoch", static_cast<double>(state_.epoch)},
                                                       {"step", static_cast<double>(state_.step)},
                                                       {"seconds", state_.seconds},
                                                       {"images_per_second", speed},
                                                       {"learning_rate", rate},
                                                       {"train/grad_norm", norm}};
  if (run_.precision.scales_loss) {
    const Optimizer::LossScale& now = run_.optimizer->loss_scale();
    row.emplace_back("train/loss_scale", now.scale);
    row.emplace_back("train/skipped_steps", static_cast<double>(now.skipped_steps));
  }
  const std::vector<std::string_view> names = task_.training_columns();
  for (size_t i = 0; i < names.size(); ++i) row.emplace_back(names[i], means[i]);
  row.insert(row.end(), evaluation.values.begin(), evaluation.values.end());
  metrics_.append(row);
}

void Trainer::save_best(const Evaluation& evaluation) {
  state_.best_metric = evaluation.score;
  state_.best_epoch = state_.epoch;
  save_weights(folder_.best_checkpoint(), task_.module(), task_.card());
  for (const auto& [name, text] : evaluation.plots()) write_file_atomically(folder_.plot_file(name), text);
}

void Trainer::save_last() {
  save_checkpoint(folder_.last_checkpoint(), run_.parts(), state_, task_.card(), to_yaml(run_.config));
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
  if (no_links) save_checkpoint(name, run_.parts(), state_, task_.card(), to_yaml(run_.config));
  folder_.prune_checkpoints(checkpoint.keep);
}

void Trainer::draw_curves() const {
  std::vector<Plot> plots = task_.curves(metrics_);
  plots.push_back(
      {"learning rate", "epoch", "", {{"learning_rate", metrics_.column("epoch"), metrics_.column("learning_rate")}}});
  write_file_atomically(folder_.plot_file("curves.svg"), svg_curves(plots));
}

std::string Trainer::summary() const {
  return fmt::format(
      "done       best {} {:.2f}% in epoch {}, {:.0f} s of training\n"
      "weights    {}\n"
      "next       ghosttrain val {}   |   ghosttrain predict {} PICTURE ...   |   ghosttrain export {} --to "
      "FILE.safetensors",
      task_.score_name(), 100 * state_.best_metric, state_.best_epoch, state_.seconds, folder_.best_checkpoint(),
      folder_.path(), folder_.path(), folder_.path());
}

}  // namespace ghost
