// What must hold for any bytes that the label readers are given: no crash, no exception but a kData one, and boxes that
// can be trusted or a reason with its place. For the fuzz targets and for their corpus in data_test.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "core/error.h"
#include "data/detection_source.h"

namespace ghost {

inline void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

inline void check_boxes(const SourcePicture& picture, const std::set<std::string>& names) {
  for (const SourceBox& box : picture.boxes) {
    require(!box.name.empty(), "a box has a class");
    require(names.empty() || names.contains(box.name), "a box's class is in the table");
    require(!std::isnan(box.box.left) && !std::isnan(box.box.top), "a corner is a number");
    require(!std::isnan(box.box.right) && !std::isnan(box.box.bottom), "a corner is a number");
    require(box.area == -1 || (box.area >= 0 && std::isfinite(box.area)), "an area is finite, or -1");
  }
}

// A reason names a line of the text: "file:LINE".
inline void check_line(const std::string& place, std::string_view text, const std::string& file) {
  require(place.starts_with(file + ":"), "a problem names its file");
  const long line = std::strtol(place.c_str() + file.size() + 1, nullptr, 10);
  const auto lines = static_cast<long>(std::count(text.begin(), text.end(), '\n')) + 1;
  require(line >= 1 && line <= lines, "a problem names a line of the file");
}

inline void check_voc(std::string_view text) {
  SourcePicture picture;
  picture.labels = "labels.xml";
  parse_voc(text, picture);
  check_boxes(picture, {});
  if (picture.bad) check_line(picture.bad->place, text, picture.labels);
  const auto lines = static_cast<int64_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  for (const SourceBox& box : picture.boxes) require(box.place >= 1 && box.place <= lines, "a box has a line");
}

inline void check_yolo(std::string_view text) {
  const std::vector<std::string> names{"cat", "dog", "red fox"};
  SourcePicture picture;
  picture.labels = "labels.txt";
  parse_yolo(text, names, picture);
  check_boxes(picture, {names.begin(), names.end()});
  if (picture.bad) check_line(picture.bad->place, text, picture.labels);
  for (const SourceBox& box : picture.boxes)
    require(std::abs(box.box.left) < 10 && std::abs(box.box.right) < 10, "a fraction is near the picture");
}

inline void check_coco(std::string_view text) {
  const std::string file = "labels.json";
  try {
    const DetectionSource source = parse_coco(text, file);
    const std::set<std::string> names(source.names.begin(), source.names.end());
    for (const SourcePicture& picture : source.pictures) {
      require(picture.bad || !picture.path.empty(), "a picture has a name, or a reason");
      require(picture.width >= 0 && picture.height >= 0, "a size is not negative");
      check_boxes(picture, names);
      if (picture.bad) require(picture.bad->place.starts_with(file + ":"), "a problem names its file");
    }
    for (const DetectionProblem& problem : source.bad)
      require(problem.place.starts_with(file + ":"), "a problem names its file");
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::kData, "a damaged file is an error of the data");
    require(error.message().starts_with(file), "an error names its file");
  }
}

}  // namespace ghost
