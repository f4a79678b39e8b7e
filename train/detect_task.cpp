#include <fmt/format.h>

#include <cmath>

#include "data/draw_boxes.h"
#include "kernels/tf32.h"
#include "losses/yolo_targets.h"
#include "train/detect_data.h"
#include "train/detect_evaluate.h"
#include "train/precision.h"
#include "train/task.h"

namespace ghost {
namespace {

constexpr size_t kListedProblems = 5;

class DetectTask : public Task {
 public:
  DetectTask(const Config& config, const Device& device, bool resuming);

  Module& module() override { return *model_; }
  const ModelCard& card() const override { return card_; }
  std::string describe() const override;
  std::string_view score_name() const override { return "mAP50"; }

  std::vector<std::string_view> training_columns() const override {
    return {"train/loss",      "train/box",       "train/objectness", "train/class",
            "train/matched32", "train/matched16", "train/matched8",   "train/ignored"};
  }
  std::vector<std::string_view> evaluation_columns() const override {
    return {"val/map50", "val/map50_95", "val/voc_map", "val/precision", "val/recall", "val/f1"};
  }
  std::vector<Plot> curves(const MetricsCsv& metrics) const override;

  int64_t batch_size(int64_t epoch) const override {
    return frozen(epoch) ? config_.train.freeze_batch_size : config_.train.batch_size;
  }
  int64_t batches(int64_t epoch) const override {
    return static_cast<int64_t>(training_->data().samples.size()) / batch_size(epoch);
  }
  bool frozen(int64_t epoch) const override { return epoch < config_.train.freeze_epochs; }
  void start_epoch(int64_t epoch, int64_t first_sample) override;
  std::vector<Tensor> next_batch(int64_t micro_step) override;
  void add_batch(const std::vector<Tensor>& parts, int64_t step, const Tensor& dloss) override;
  std::vector<double> take_sums() override;
  int64_t skipped_pictures() const override { return batch_->skipped; }
  std::string batch_files() const override { return listed_files(batch_->samples, training_->data().samples); }
  Image draw_batch() const override { return batch_boxes_mosaic(*batch_, card_.classes, training_->preprocess()); }
  void check_epoch(const std::vector<double>& means) const override;
  Evaluation evaluate() override;
  double wait_seconds() const override { return training_->wait_seconds(); }
  std::vector<std::string> take_messages() override { return take_messages_of(*training_, *validation_); }

 private:
  void load_weights_as_configured();

  const Config config_;
  const Device device_;
  const Precision precision_;
  std::unique_ptr<DetectionLoader> training_, validation_;
  ModelCard card_;
  std::unique_ptr<Detector> model_;
  YoloLossOptions loss_options_;
  DecodeBoxesOptions decode_options_;
  std::string weights_report_;
  int64_t macs_ = 0;
  const DetectionBatch* batch_ = nullptr;  // the last one
  Tensor totals_;                          // sums of training_columns(), on the device
  int64_t room_ = 64;                      // for a batch's boxes; grows, so that the shapes of parts soon stay
};

DetectTask::DetectTask(const Config& config, const Device& device, bool resuming)
    : config_(config), device_(device), precision_(precision_of(config.train.precision, device)) {
  GHOST_CHECK(!config.data.train.empty(), "data.train is not set: a data set in the form of data.format is needed");
  GHOST_CHECK(!config.data.val.empty(), "data.val is not set: pictures with boxes to measure on are needed");
  training_ = detection_training_loader(config);
  card_ = {config.model, config.input, training_->data().classes, config.task};
  validation_ = detection_evaluation_loader({config.data.val, config.data.format, config.train.batch_size,
                                             config.data.workers, config.data.on_corrupt == "skip"},
                                            card_);
  for (const int64_t epoch : {int64_t{0}, config.train.epochs - 1})
    GHOST_CHECK_AS(kData, batches(epoch) >= config.train.accumulate, config.data.train, ": ",
                   training_->data().samples.size(), " pictures are fewer than one step takes (batch ",
                   batch_size(epoch), " x train.accumulate ", config.train.accumulate, ")");
  const int64_t classes = static_cast<int64_t>(card_.classes.size());
  loss_options_ = loss_options_of(config, classes);
  decode_options_ = decode_options_of(config.evaluate, card_);
  model_ = make_detector(card_, static_cast<uint64_t>(config.train.seed));
  if (!resuming) load_weights_as_configured();
  macs_ = total_macs(trace_layers(*model_, config.input.size));
  model_->to(device);
  totals_ = Tensor::zeros({kYoloTotals}, {DType::kFloat64, device});
}

void DetectTask::load_weights_as_configured() {
  const ModelConfig& model = config_.model;
  if (!model.backbone_weights.empty()) {
    const SafetensorsReader file(model.backbone_weights);
    weights_report_ = "\nbackbone   " + model.backbone_weights + ": " +
                      load_backbone_weights(*model_, file, weights_prefix(file)).summary();
  }
  if (!model.weights.empty()) {
    const SafetensorsReader file(model.weights);
    weights_report_ += "\nweights    " + model.weights + ": " +
                       load_weights(*model_, file, weights_prefix(file), model.replace_head).summary();
  }
}

std::string DetectTask::describe() const {
  const DetectionSet &data = training_->data(), &val = validation_->data();
  const auto boxes = [](const DetectionSet& set) {
    int64_t count = 0;
    for (const int64_t of_class : set.counts) count += of_class;
    return count;
  };
  std::string text = fmt::format(
      "model      {} width {} ({}), {:.2f} M parameters, {:.2f} G MACs at "
      "{}x{}\n"
      "data       {} pictures with {} boxes in {} classes to train, {} with {} "
      "to validate",
      config_.model.name, config_.model.width, config_.model.flavour,
      static_cast<double>(model_->parameter_count()) / 1e6, static_cast<double>(macs_) / 1e9, config_.input.size,
      config_.input.size, data.samples.size(), boxes(data), data.classes.size(), val.samples.size(), boxes(val));
  text += weights_report_;
  for (size_t k = 0; k < data.classes.size(); ++k)
    if (data.counts[k] == 0) text += "\nwarning: no box of class '" + data.classes[k] + "' to train on";
  for (const DetectionSet* set : {&data, &val}) {
    const std::vector<DetectionProblem>& problems = set->problems;
    for (size_t i = 0; i < problems.size() && i < kListedProblems; ++i)
      text += "\nwarning: " + problems[i].place + ": " + problems[i].reason;
    if (problems.size() > kListedProblems)
      text += fmt::format("\nwarning: {} more oddities in {}; `ghosttrain check` lists them",
                          problems.size() - kListedProblems, set->source);
  }
  return text;
}

std::vector<Plot> DetectTask::curves(const MetricsCsv& metrics) const {
  const std::vector<double> epochs = metrics.column("epoch");
  const auto curve = [&](const char* name) { return Curve{name, epochs, metrics.column(name)}; };
  return {{"loss",
           "epoch",
           "loss",
           {curve("train/loss"), curve("train/box"), curve("train/objectness"), curve("train/class")}},
          {"mean average precision", "epoch", "mAP", {curve("val/map50"), curve("val/map50_95")}},
          {"at the best F1", "epoch", "share", {curve("val/precision"), curve("val/recall")}}};
}

void DetectTask::start_epoch(int64_t epoch, int64_t first_sample) {
  const int64_t epochs = config_.train.epochs;
  const bool plain = epoch >= epochs - config_.schedule.no_aug_epochs;
  const bool mosaic = static_cast<double>(epoch) < static_cast<double>(epochs) * config_.augment.special_aug_ratio;
  training_->set_augment(plain    ? without_augmentation(config_)
                         : mosaic ? detection_augment_of(config_)
                                  : without_mosaic(config_));
  training_->set_batch_size(batch_size(epoch));
  training_->start_epoch(epoch, first_sample);
  model_->freeze_backbone(frozen(epoch));
  model_->set_training(true);
}

// Pictures, then what the anchors are to learn.
std::vector<Tensor> DetectTask::next_batch(int64_t) {
  batch_ = training_->next();
  GHOST_ASSERT(batch_ != nullptr, "the loader ended before the epoch's batches");
  while (room_ < batch_->labels.numel()) room_ *= 2;
  const YoloTargets targets =
      assign_yolo_targets({batch_->boxes, batch_->labels, batch_->first}, yolo_grid(batch_->images.shape()),
                          loss_options_, batch_->images.options(), room_);
  std::vector<Tensor> parts = targets.tensors();
  parts.insert(parts.begin(), batch_->images);
  return parts;
}

void DetectTask::add_batch(const std::vector<Tensor>& parts, int64_t step, const Tensor& dloss) {
  const Tf32Scope tf32(precision_.tf32);
  const YoloTargets targets = YoloTargets().with({parts.begin() + 1, parts.end()});
  backward_batch(*this, step, dloss, [&] {
    return yolo_loss(model_->forward(Variable(parts[0].to(precision_.maps))), targets, loss_options_, totals_);
  });
}

std::vector<double> DetectTask::take_sums() {
  std::vector<double> sums = totals_.to_vector();
  totals_.fill(0);
  GHOST_CHECK_AS(kNonFinite, std::isfinite(sums[kTotalLoss]), "the loss is ", sums[kTotalLoss]);
  return sums;
}

void DetectTask::check_epoch(const std::vector<double>& means) const {
  GHOST_CHECK_AS(kData, means[4] + means[5] + means[6] > 0, config_.data.train,
                 ": not one anchor was matched with a box in a whole epoch, so "
                 "nothing can be learnt. Either the "
                 "pictures have no boxes (`ghosttrain check` tells), or "
                 "augment.scale and augment.min_box ",
                 config_.augment.min_box, " leave none of them");
}

Evaluation DetectTask::evaluate() {
  const DetectorMetrics metrics = evaluate_detector(*model_, *validation_, decode_options_, device_);
  Evaluation result;
  result.values = {{"val/map50", metrics.coco.ap50},    {"val/map50_95", metrics.coco.ap},
                   {"val/voc_map", metrics.voc_ap},     {"val/precision", metrics.best.precision},
                   {"val/recall", metrics.best.recall}, {"val/f1", metrics.best.f1}};
  result.score = metrics.coco.ap50;
  result.text = fmt::format("P {:.3f}  R {:.3f}  mAP50 {:.4f}  mAP50-95 {:.4f}", metrics.best.precision,
                            metrics.best.recall, metrics.coco.ap50, metrics.coco.ap);
  if (metrics.coco.class_ap50.size() > 1) {
    std::string classes;
    for (size_t k = 0; k < card_.classes.size(); ++k)
      if (metrics.class_boxes[k] > 0)
        classes +=
            fmt::format("{}{} {:.3f}", classes.empty() ? "" : "  ", card_.classes[k], metrics.coco.class_ap50[k]);
    result.details.push_back("  mAP50: " + classes);
  }
  result.plots = [classes = card_.classes, metrics] { return plots_of(metrics, classes); };
  return result;
}

}  // namespace

std::unique_ptr<Task> make_detect_task(const Config& config, const Device& device, bool resuming) {
  return std::make_unique<DetectTask>(config, device, resuming);
}

}  // namespace ghost
