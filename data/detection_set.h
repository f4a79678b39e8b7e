// A detection data set on disk: pictures with boxes, from VOC XML, COCO JSON or YOLO txt, in one form.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/box.h"

namespace ghost {

struct BoxLabel {
  Box box;                 // pixels of the upright picture, cut at its borders
  int64_t label = 0;       // index into DetectionSet::classes
  bool difficult = false;  // VOC: neither a hit nor a miss when evaluated; not trained on
  bool crowd = false;      // COCO iscrowd: a region with many objects; not trained on
  double area = 0;         // COCO's "area" where given, else the box's
};

struct DetectionSample {
  std::string path;
  int width = 0, height = 0;  // of the upright picture
  int64_t id = 0;             // COCO's image id; else the index + 1
  std::vector<BoxLabel> boxes;
};

enum class DetectionFormat { kVoc, kCoco, kYolo };

// What is odd in a data set but not an error: for the log and `check`.
struct DetectionProblem {
  enum class Kind {
    kOutside,
    kNoArea,
    kThin,
    kDuplicate,
    kUnknownClass,
    kMissingPicture,
    kUnreadable,
    kMalformed,
    kOtherSize
  };
  Kind kind;
  std::string place;  // file, with the line where there is one
  std::string reason;
};

struct DetectionSet {
  std::string source;  // what was opened
  DetectionFormat format = DetectionFormat::kVoc;
  std::vector<std::string> classes;      // index = label
  std::vector<DetectionSample> samples;  // a picture without boxes stays: it is a negative
  std::vector<int64_t> counts;           // boxes per class
  std::vector<DetectionProblem> problems;
};

struct DetectionSetOptions {
  // VOC: the data set's folder (all pictures with an XML) or its ImageSets/Main/NAME.txt. COCO: the annotation file;
  // pictures are looked for beside it, in `images`, and in the usual folders around. YOLO: a folder of pictures, a list
  // of pictures
  // (.txt), or `data.yaml` with #split ("data.yaml#val"); labels lie at .../labels/... for .../images/... or beside the
  // picture.
  std::string source;
  DetectionFormat format = DetectionFormat::kVoc;
  std::string class_file;            // "" is none; fixes names and order
  std::vector<std::string> classes;  // for evaluation: the weights' table; matched by name, unknown names are refused
  bool skip_bad =
      true;  // a malformed label file or a missing picture: left out and reported, else kData with file and line
};

// Throws kData where the source does not exist, has no picture, no box at all, or names a class that the table lacks.
DetectionSet open_detection_set(const DetectionSetOptions& options);

DetectionFormat detection_format_from_name(const std::string& name);  // "voc", "coco", "yolo"

}  // namespace ghost
