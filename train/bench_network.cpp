#include "train/bench_network.h"

#include <algorithm>

#include "core/random.h"
#include "layers/models/detector.h"
#include "losses/cross_entropy.h"
#include "losses/yolo_loss.h"
#include "train/detect_data.h"
#include "train/suggest.h"

namespace ghost {
namespace {

Tensor random_labels(int64_t count, int64_t classes) {
  Rng rng(1, 2);
  Tensor labels({count}, {DType::kInt64, Device::cpu()});
  for (int64_t i = 0; i < count; ++i) labels.data<int64_t>()[i] = rng.below(classes);
  return labels;
}

class BenchClassifier : public BenchNetwork {
 public:
  explicit BenchClassifier(const BenchOptions& options)
      : model_(make_model({.name = options.model, .width = options.width})),
        labels_(random_labels(options.batch_size, model_->options().num_classes).to(options.device)) {}

  Module& module() override { return *model_; }
  std::vector<LayerRecord> layers(int64_t size) override { return trace_layers(*model_, size); }
  void infer(const Variable& images) override { model_->forward(images); }
  Variable loss(const Variable& images, int64_t step) override {
    return softmax_cross_entropy(model_->forward(images, {0, static_cast<uint64_t>(step)}), {labels_, {}, {}});
  }

 private:
  std::unique_ptr<Classifier> model_;
  Tensor labels_;
};

class BenchDetector : public BenchNetwork {
 public:
  explicit BenchDetector(const BenchOptions& options)
      : model_(make_detector({.name = options.model, .width = options.width, .num_classes = kClasses})),
        targets_(made_up_boxes(options.batch_size, static_cast<double>(options.size), kClasses)),
        loss_(loss_options_of(default_config("detect"), kClasses)) {}

  Module& module() override { return *model_; }
  std::vector<LayerRecord> layers(int64_t size) override { return trace_layers(*model_, size); }
  void infer(const Variable& images) override { model_->forward(images); }
  Variable loss(const Variable& images, int64_t) override {
    return yolo_loss(model_->forward(images), targets_, loss_);
  }

 private:
  static constexpr int64_t kClasses = 80;
  std::unique_ptr<Detector> model_;
  DetectionTargets targets_;
  YoloLossOptions loss_;
};

void check_name(const std::string& model) {
  std::vector<std::string> names = model_names();
  for (std::string& name : detector_names()) names.push_back(std::move(name));
  if (std::find(names.begin(), names.end(), model) != names.end()) return;
  const std::string near = nearest_word(model, names);
  GHOST_FAIL(kUsage, "unknown model '", model, "'; there is ", joined(names),
             near.empty() ? "" : "; did you mean '" + near + "'?");
}

}  // namespace

std::unique_ptr<BenchNetwork> make_bench_network(const BenchOptions& options) {
  check_name(options.model);
  if (names_detector(options.model)) return std::make_unique<BenchDetector>(options);
  return std::make_unique<BenchClassifier>(options);
}

}  // namespace ghost
