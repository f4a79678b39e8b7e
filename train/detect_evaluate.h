// A detector's figures on a data set: the same code during training and for `val`.
#pragma once

#include <functional>
#include <vector>

#include "data/detection_loader.h"
#include "kernels/yolo_decode.h"
#include "layers/models/detector.h"
#include "train/detection_metrics.h"
#include "train/svg_plot.h"

namespace ghost {

struct DetectorMetrics {
  int64_t pictures = 0, boxes = 0;  // boxes: crowd and difficult ones left out
  int64_t skipped = 0;              // corrupt pictures left out
  CocoMetrics coco;
  double voc_ap = -1, voc_ap11 = -1;    // means over classes, IoU 0.5
  std::vector<PrecisionRecall> curves;  // per class, IoU 0.5
  OperatingPoint best;                  // at the score of the highest F1, all classes
  std::vector<int64_t> class_boxes;
  std::vector<int64_t> confusion;  // at that score
  double seconds = 0;

  // In pictures' pixels; image is the index into the data set's samples.
  std::vector<TruthBox> truth;
  std::vector<DetectedBox> detections;
};

// Runs `model` in inference mode over one pass of `loader` and puts its mode back. progress(done, total), pictures.
DetectorMetrics evaluate_detector(Detector& model, DetectionLoader& loader, const DecodeBoxesOptions& options,
                                  const Device& device, const std::function<void(int64_t, int64_t)>& progress = {});

// The table of `val`: one line per class, then all.
std::vector<std::string> metrics_table(const DetectorMetrics& metrics, const std::vector<std::string>& classes);

// pr.svg and confusion.svg.
std::vector<NamedText> plots_of(const DetectorMetrics& metrics, const std::vector<std::string>& classes);

}  // namespace ghost
