#include "train/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace ghost {
namespace {

// Adds one picture's row of logits. Double arithmetic: the sum does not depend on the batch size by more than the last
// digits.
void add_row(ClassifierMetrics& metrics, const float* logits, int64_t label) {
  const auto [peak, sum] = softmax_sum(logits, metrics.classes);
  metrics.loss += std::log(sum) + peak - logits[label];
  const std::vector<int64_t> best = top_classes(logits, metrics.classes, 5);
  metrics.top1 += best[0] == label;
  metrics.top5 += std::find(best.begin(), best.end(), label) != best.end();
  ++metrics.confusion[static_cast<size_t>(label * metrics.classes + best[0])];
  ++metrics.count;
}

}  // namespace

SoftmaxSum softmax_sum(const float* values, int64_t classes) {
  const float peak = *std::max_element(values, values + classes);
  double sum = 0;
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(values[k]) - peak);
  return {peak, sum};
}

std::vector<int64_t> top_classes(const float* values, int64_t classes, int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(classes));
  std::iota(order.begin(), order.end(), 0);
  const auto end = order.begin() + std::min(count, classes);
  std::partial_sort(order.begin(), end, order.end(),
                    [&](int64_t a, int64_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  order.erase(end, order.end());
  return order;
}

ClassifierMetrics evaluate_classifier(Classifier& model, Loader& loader, const Device& device,
                                      const std::function<void(int64_t, int64_t)>& progress) {
  const auto start = std::chrono::steady_clock::now();
  const InferenceScope inference(model);
  const NoGradScope no_grad;
  ClassifierMetrics metrics;
  metrics.classes = model.options().num_classes;
  metrics.confusion.resize(static_cast<size_t>(metrics.classes * metrics.classes));
  loader.start_epoch(0);
  while (const Batch* batch = loader.next()) {
    metrics.skipped += batch->skipped;
    if (batch->size() == 0) continue;
    const Tensor logits = model.forward(Variable(batch->images.to(device))).value().to(Device::cpu());
    const int64_t* labels = batch->labels.data<int64_t>();
    for (int64_t i = 0; i < batch->size(); ++i) add_row(metrics, logits.data<float>() + i * metrics.classes, labels[i]);
    if (progress) progress(metrics.count + metrics.skipped, loader.samples_per_epoch());
  }
  GHOST_CHECK_AS(kData, metrics.count > 0, loader.data().root, ": no readable picture to evaluate");
  GHOST_CHECK_AS(kNonFinite, std::isfinite(metrics.loss),
                 "evaluation: the loss is not finite; the weights have diverged");
  metrics.loss /= static_cast<double>(metrics.count);
  metrics.top1 /= static_cast<double>(metrics.count);
  metrics.top5 /= static_cast<double>(metrics.count);
  metrics.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return metrics;
}

std::vector<NamedText> plots_of(const ClassifierMetrics& metrics, const std::vector<std::string>& classes) {
  return {{"confusion.svg", svg_confusion(classes, metrics.confusion)}};
}

}  // namespace ghost
