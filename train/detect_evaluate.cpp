#include "train/detect_evaluate.h"

#include <fmt/format.h>

#include <chrono>

#include "train/detection_plots.h"

namespace ghost {
namespace {

double mean_of_known(const std::vector<double>& values) {
  double sum = 0;
  int64_t count = 0;
  for (const double value : values)
    if (value >= 0) {
      sum += value;
      ++count;
    }
  return count ? sum / static_cast<double>(count) : -1;
}

void add_truth(DetectorMetrics& metrics, const DetectionSample& sample, int64_t image) {
  for (const BoxLabel& box : sample.boxes) {
    metrics.truth.push_back({image, box.label, box.box, box.area, box.crowd, box.difficult});
    if (box.crowd || box.difficult) continue;
    ++metrics.boxes;
    ++metrics.class_boxes[static_cast<size_t>(box.label)];
  }
}

void measure(DetectorMetrics& metrics, int64_t classes, int64_t images) {
  metrics.coco = coco_metrics(metrics.truth, metrics.detections, classes, images);
  const auto voc = [&](VocRule rule) {
    return mean_of_known(voc_average_precision(metrics.truth, metrics.detections, classes, 0.5, rule));
  };
  metrics.voc_ap = voc(VocRule::kAllPoints);
  metrics.voc_ap11 = voc(VocRule::k11Points);
  metrics.curves = precision_recall(metrics.truth, metrics.detections, classes);
  metrics.best = best_f1(metrics.curves);
  metrics.confusion = detection_confusion(metrics.truth, metrics.detections, classes, metrics.best.score);
}

}  // namespace

DetectorMetrics evaluate_detector(Detector& model, DetectionLoader& loader, const DecodeBoxesOptions& options,
                                  const Device& device, const std::function<void(int64_t, int64_t)>& progress) {
  const auto start = std::chrono::steady_clock::now();
  const InferenceScope inference(model);
  const NoGradScope no_grad;
  const std::vector<DetectionSample>& samples = loader.data().samples;
  DetectorMetrics metrics;
  metrics.class_boxes.resize(static_cast<size_t>(options.num_classes));
  loader.start_epoch(0);
  while (const DetectionBatch* batch = loader.next()) {
    metrics.skipped += batch->skipped;
    if (batch->size() == 0) continue;
    std::vector<Tensor> maps;
    for (const Variable& map : model.forward(Variable(batch->images.to(device)))) maps.push_back(map.value());
    const std::vector<std::vector<ScoredBox>> found = detect_boxes(maps, options);
    for (size_t i = 0; i < found.size(); ++i) {
      const int64_t image = batch->samples[i];
      const DetectionSample& sample = samples[static_cast<size_t>(image)];
      const Box whole = picture_box(sample.width, sample.height);
      add_truth(metrics, sample, image);
      for (const ScoredBox& box : found[i])
        metrics.detections.push_back(
            {image, box.label, intersect(batch->places[i].to_picture(box.box), whole), box.score});
    }
    metrics.pictures += batch->size();
    if (progress) progress(metrics.pictures + metrics.skipped, static_cast<int64_t>(samples.size()));
  }
  GHOST_CHECK_AS(kData, metrics.pictures > 0, loader.data().source, ": no readable picture to evaluate");
  GHOST_CHECK_AS(kData, metrics.boxes > 0, loader.data().source,
                 ": no box to evaluate; every picture is without objects");
  measure(metrics, options.num_classes, static_cast<int64_t>(samples.size()));
  metrics.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return metrics;
}

std::vector<std::string> metrics_table(const DetectorMetrics& metrics, const std::vector<std::string>& classes) {
  const auto row = [](const std::string& name, int64_t boxes, const OperatingPoint& point, double ap50, double ap) {
    return fmt::format("{:<24} {:>8} {:>9.3f} {:>9.3f} {:>9.3f} {:>9.3f}", name, boxes, point.precision, point.recall,
                       ap50, ap);
  };
  std::vector<std::string> lines{fmt::format("{:<24} {:>8} {:>9} {:>9} {:>9} {:>9}", "class", "boxes", "precision",
                                             "recall", "mAP50", "mAP50-95")};
  for (size_t k = 0; k < classes.size(); ++k)
    if (metrics.class_boxes[k] > 0)
      lines.push_back(row(classes[k], metrics.class_boxes[k], at_score(metrics.curves[k], metrics.best.score),
                          metrics.coco.class_ap50[k], metrics.coco.class_ap[k]));
  lines.push_back(row("all", metrics.boxes, metrics.best, metrics.coco.ap50, metrics.coco.ap));
  return lines;
}

std::vector<NamedText> plots_of(const DetectorMetrics& metrics, const std::vector<std::string>& classes) {
  return {{"pr.svg", svg_precision_recall(classes, metrics.curves)},
          {"confusion.svg", svg_confusion(classes, metrics.confusion, true)}};
}

}  // namespace ghost
