// Detections as files: COCO results JSON, CSV, YOLO txt, VOC XML. The same detections give the same bytes everywhere.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/yolo_decode.h"

namespace ghost {

struct DetectedPicture {
  std::string path;
  int64_t id = 0;                // COCO's image id
  int width = 0, height = 0;     // of the upright picture
  std::vector<ScoredBox> boxes;  // pixels of the picture
  std::string error;             // why it could not be read, else empty
};

struct CocoResultsOptions {
  std::vector<int64_t> category_ids;  // per label; empty: label + 1
  std::vector<std::string> classes;   // where given, "category_name" and "file_name" are added, for readers without ids
};
// As COCO.loadRes() reads them; every digit is kept, so that pycocotools finds the very metrics of this program.
std::string coco_results_json(const std::vector<DetectedPicture>& pictures, const CocoResultsOptions& options = {});

// file,class,score,left,top,right,bottom,error; a line for each box, and for each picture with an error.
std::string detections_csv(const std::vector<DetectedPicture>& pictures, const std::vector<std::string>& classes);

// For the next two boxes are cut at the picture's borders, and left out where nothing remains.
// "label cx cy w h score" in shares of the picture.
std::string yolo_text(const DetectedPicture& picture, bool with_scores = true);
// Pixels as labelImg writes them (xmin = left, xmax = right; not counted from 1), with decimals and a <score>.
std::string voc_xml(const DetectedPicture& picture, const std::vector<std::string>& classes);

// Names for a picture's results, without ending, each its own: the file's, with -2, -3, ... where it is taken.
std::vector<std::string> result_names(const std::vector<std::string>& paths);

enum class DetectionOutput { kJson, kCsv, kYolo, kVoc };
DetectionOutput detection_output_from_name(const std::string& name);  // "json", "csv", "yolo", "voc"

// Writes `folder`/detections.json or .csv; or `folder`/NAME.txt or .xml for each picture that could be read, with
// classes.txt beside YOLO's. Pictures of one name get NAME-2 and so on. Each file appears whole or not at all. Returns
// the paths written.
std::vector<std::string> write_detections(const std::string& folder, DetectionOutput output,
                                          const std::vector<DetectedPicture>& pictures,
                                          const std::vector<std::string>& classes,
                                          const CocoResultsOptions& options = {});

}  // namespace ghost
