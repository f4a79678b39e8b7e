// Where a YOLO data set's pictures, labels and class names are.
#pragma once

#include <string>
#include <vector>

#include "data/detection_set.h"

namespace ghost {

struct YoloFiles {
  std::vector<std::string> pictures;  // in order; those of a list may be missing
  std::vector<std::string> places;    // what names each picture: the list with the line, or the picture
  std::vector<std::string> names;     // of the class numbers
  bool whole_folders = false;         // all pictures of folders: a label file without a picture is odd
};

// Throws kData: no such source, no picture, class names that are nowhere, a damaged data.yaml (file and line).
YoloFiles list_yolo_files(const DetectionSetOptions& options);

// The label file of a picture: `labels` for the last `images` or `JPEGImages` in its path, else beside it; "" where
// there is none.
std::string yolo_label_file(const std::string& picture);

}  // namespace ghost
