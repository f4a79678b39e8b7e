// Writes detection data sets as VOC, COCO or YOLO, for `data convert` and `data scenes`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/detection_set.h"

namespace ghost {

struct DetectionSplit {
  std::string name;  // "train", "val", ...: a folder's and file's name
  const DetectionSet* set = nullptr;
};

struct DetectionWriteOptions {
  DetectionFormat format = DetectionFormat::kVoc;
  std::string destination;     // must not exist, or be empty
  bool link_pictures = false;  // hard links where the file system allows, else copies
};

struct DetectionWriteResult {
  int64_t pictures = 0, boxes = 0;
  // What the format cannot keep, e.g. "3 difficult boxes left out: YOLO has no mark for them".
  std::vector<std::string> lost;
};

// VOC:  JPEGImages/, Annotations/, ImageSets/Main/SPLIT.txt, classes.txt
// COCO: images/SPLIT/, annotations/instances_SPLIT.json
// YOLO: images/SPLIT/, labels/SPLIT/, data.yaml
// Pictures are copied as they are; those with one name get "_2", "_3", ... The folder appears whole or not at all. What
// the formats have no word for is kept in elements of our own, which the readers here know and others pass over: VOC
// <crowd> (with difficult 1) and <area>, COCO "difficult". YOLO has no room: difficult and crowd boxes are left out.
// Throws kUsage (splits with different classes), kData (a picture or a name that cannot be written), kDisk.
DetectionWriteResult write_detection_sets(const std::vector<DetectionSplit>& splits,
                                          const DetectionWriteOptions& options);

}  // namespace ghost
