// The text of labels in each format: what data/detection_write.cpp puts into files.
#pragma once

#include <string>
#include <vector>

#include "data/detection_set.h"

namespace ghost {

struct NamedSample {
  const DetectionSample* sample = nullptr;
  std::string file;  // the picture's file name
};

std::string voc_text(const NamedSample& picture, const std::vector<std::string>& classes);
std::string coco_text(const std::vector<NamedSample>& pictures, const std::vector<std::string>& classes);
std::string yolo_text(const DetectionSample& sample);  // without difficult and crowd boxes
std::string yolo_yaml(const std::vector<std::string>& splits, const std::vector<std::string>& classes);

}  // namespace ghost
