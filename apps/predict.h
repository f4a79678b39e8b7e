// What `predict` was asked for; a classifier and a detector read the same options.
#pragma once

#include <string>
#include <vector>

#include "apps/options.h"

namespace ghost {

struct PredictOptions {
  std::string weights, out;
  std::vector<std::string> inputs;
  int64_t batch_size = 0;  // 0: 32 to classify, 8 to detect
  bool count = false;
  DeviceOptions device;
  // Classifier.
  int64_t top = 5;
  // Detector.
  double score = 0.3, iou = 0.45;
  int64_t max_boxes = 100;
  bool crop = false, heat_map = false, no_pictures = false;
  std::string format = "json,csv";
};

int predict_classes(const PredictOptions& options);
int predict_boxes(const PredictOptions& options);

}  // namespace ghost
