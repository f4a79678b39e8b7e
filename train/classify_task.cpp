#include <fmt/format.h>

#include "data/draw.h"
#include "kernels/tf32.h"
#include "losses/cross_entropy.h"
#include "train/classify_data.h"
#include "train/evaluate.h"
#include "train/precision.h"
#include "train/streams.h"
#include "train/task.h"

namespace ghost {
namespace {

class ClassifyTask : public Task {
 public:
  ClassifyTask(const Config& config, const Device& device, bool resuming);

  Module& module() override { return *model_; }
  const ModelCard& card() const override { return card_; }
  std::string describe() const override;
  std::string_view score_name() const override { return "top-1"; }

  std::vector<std::string_view> training_columns() const override { return {"train/loss"}; }
  std::vector<std::string_view> evaluation_columns() const override { return {"val/loss", "val/top1", "val/top5"}; }
  std::vector<Plot> curves(const MetricsCsv& metrics) const override;

  int64_t batch_size(int64_t) const override { return config_.train.batch_size; }
  int64_t batches(int64_t) const override { return training_->batches_per_epoch(); }
  void start_epoch(int64_t epoch, int64_t first_sample) override;
  std::vector<Tensor> next_batch(int64_t micro_step) override;
  void add_batch(const std::vector<Tensor>& parts, int64_t step, const Tensor& dloss) override;
  std::vector<double> take_sums() override { return {losses_.take()}; }
  int64_t skipped_pictures() const override { return batch_->skipped; }
  std::string batch_files() const override { return listed_files(batch_->samples, training_->data().samples); }
  Image draw_batch() const override;
  void check_epoch(const std::vector<double>&) const override {}
  Evaluation evaluate() override;
  double wait_seconds() const override { return training_->wait_seconds(); }
  std::vector<std::string> take_messages() override { return take_messages_of(*training_, *validation_); }

 private:
  Variable loss_of(const std::vector<Tensor>& parts);

  const Config config_;
  const Device device_;
  const Precision precision_;
  std::unique_ptr<Loader> training_, validation_;
  ModelCard card_;
  std::unique_ptr<Classifier> model_;
  std::string weights_report_;
  int64_t macs_ = 0;
  const Batch* batch_ = nullptr;  // the last one
  LossSum losses_;
};

ClassifyTask::ClassifyTask(const Config& config, const Device& device, bool resuming)
    : config_(config), device_(device), precision_(precision_of(config.train.precision, device)) {
  GHOST_CHECK(!config.data.train.empty(),
              "data.train is not set: a folder with one folder of pictures per class is needed");
  GHOST_CHECK(!config.data.val.empty(),
              "data.val is not set: a folder like data.train, with pictures to measure on, is needed");
  training_ = training_loader(config);
  card_ = {config.model, config.input, training_->data().classes};
  validation_ = evaluation_loader(
      {config.data.val, config.train.batch_size, config.data.workers, config.data.on_corrupt == "skip"}, card_);
  GHOST_CHECK_AS(kData, batches(0) >= config.train.accumulate, config.data.train, ": ",
                 training_->data().samples.size(), " pictures are fewer than one step takes (train.batch_size ",
                 config.train.batch_size, " x train.accumulate ", config.train.accumulate, ")");
  model_ = make_model(card_, static_cast<uint64_t>(config.train.seed));
  if (!config.model.weights.empty() && !resuming) {
    const SafetensorsReader file(config.model.weights);
    weights_report_ = load_weights(*model_, file, weights_prefix(file), config.model.replace_head).summary();
  }
  macs_ = total_macs(trace_layers(*model_, config.input.size));
  model_->to(device);
}

std::string ClassifyTask::describe() const {
  const ImageFolder& data = training_->data();
  std::string text = fmt::format(
      "model      {} width {} ({}), {:.2f} M parameters, {:.1f} M MACs at {}x{}\n"
      "data       {} pictures in {} classes to train, {} to validate",
      config_.model.name, config_.model.width, config_.model.flavour,
      static_cast<double>(model_->parameter_count()) / 1e6, static_cast<double>(macs_) / 1e6, config_.input.size,
      config_.input.size, data.samples.size(), data.classes.size(), validation_->data().samples.size());
  if (!weights_report_.empty()) text += "\nweights    " + config_.model.weights + ": " + weights_report_;
  for (const std::string& name : data.empty_classes)
    text += "\nwarning: no picture of class '" + name + "' to train on";
  for (const std::string& name : validation_->data().empty_classes)
    text += "\nwarning: no picture of class '" + name + "' to validate on";
  return text;
}

std::vector<Plot> ClassifyTask::curves(const MetricsCsv& metrics) const {
  const std::vector<double> epochs = metrics.column("epoch");
  const auto curve = [&](const char* name) { return Curve{name, epochs, metrics.column(name)}; };
  return {{"loss", "epoch", "cross entropy", {curve("train/loss"), curve("val/loss")}},
          {"accuracy", "epoch", "share", {curve("val/top1"), curve("val/top5")}}};
}

void ClassifyTask::start_epoch(int64_t epoch, int64_t first_sample) {
  const bool plain = epoch >= config_.train.epochs - config_.schedule.no_aug_epochs;
  training_->set_augment(plain ? without_augmentation(config_.augment) : augment_of(config_.augment));
  training_->start_epoch(epoch, first_sample);
  model_->set_training(true);
}

// Pictures, labels, where dropout's random numbers stand; of a mixed batch the other labels and the first ones' weight.
std::vector<Tensor> ClassifyTask::next_batch(int64_t micro_step) {
  batch_ = training_->next();
  GHOST_ASSERT(batch_ != nullptr, "the loader ended before the epoch's ", batches(0), " batches");
  std::vector<Tensor> parts{batch_->images, batch_->labels,
                            Tensor::from<int64_t>({static_cast<int64_t>(dropout_stream(micro_step))}, {1})};
  if (batch_->mix < 1) {
    parts.push_back(batch_->labels_b);
    parts.push_back(Tensor::full({batch_->size()}, batch_->mix, batch_->images.options()));
  }
  return parts;
}

Variable ClassifyTask::loss_of(const std::vector<Tensor>& parts) {
  const DropoutDraw draw{.seed = static_cast<uint64_t>(config_.train.seed), .stream_at = parts[2]};
  const Variable logits = model_->forward(Variable(parts[0].to(precision_.maps)), draw);
  ClassTargets targets{parts[1], {}, {}};
  if (parts.size() > 3) {
    targets.other_labels = parts[3];
    targets.mix = parts[4];
  }
  return softmax_cross_entropy(logits, targets, config_.loss.label_smoothing);
}

void ClassifyTask::add_batch(const std::vector<Tensor>& parts, int64_t step, const Tensor& dloss) {
  const Tf32Scope tf32(precision_.tf32);
  losses_.add(backward_batch(*this, step, dloss, [&] { return loss_of(parts); }));
}

Image ClassifyTask::draw_batch() const {
  const auto name_of_label = [&](const Tensor& labels, int64_t i) {
    return card_.classes[static_cast<size_t>(labels.data<int64_t>()[i])];
  };
  std::vector<std::string> captions;
  for (int64_t i = 0; i < batch_->size(); ++i)
    captions.push_back(batch_->mix < 1 ? fmt::format("{:.2f} {} + {}", batch_->mix, name_of_label(batch_->labels, i),
                                                     name_of_label(batch_->labels_b, i))
                                       : name_of_label(batch_->labels, i));
  return batch_mosaic(batch_->images, captions, training_->preprocess());
}

Evaluation ClassifyTask::evaluate() {
  const ClassifierMetrics metrics = evaluate_classifier(*model_, *validation_, device_);
  return {.values = {{"val/loss", metrics.loss}, {"val/top1", metrics.top1}, {"val/top5", metrics.top5}},
          .score = metrics.top1,
          .text = fmt::format("val loss {:.4f}  top-1 {:.2f}%  top-5 {:.2f}%", metrics.loss, 100 * metrics.top1,
                              100 * metrics.top5),
          .details = {},
          .plots = [classes = card_.classes, metrics] { return plots_of(metrics, classes); }};
}

}  // namespace

std::unique_ptr<Task> make_classify_task(const Config& config, const Device& device, bool resuming) {
  return std::make_unique<ClassifyTask>(config, device, resuming);
}

}  // namespace ghost
