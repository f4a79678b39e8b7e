// YOLO txt: a label file per picture with lines "class cx cy width height", fractions of the picture.
#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/parallel.h"
#include "data/detection_source.h"
#include "data/image_folder.h"
#include "data/yolo_source.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;
using Kind = DetectionProblem::Kind;

constexpr int64_t kMaxLabelBytes = int64_t{64} << 20;
constexpr double kFarOutside = 4;  // a fraction beyond it is no fraction

std::vector<std::string_view> split_blanks(std::string_view line) {
  std::vector<std::string_view> parts;
  for (line = trim(line); !line.empty(); line = trim(line)) {
    const size_t end = std::min(line.find_first_of(" \t"), line.size());
    parts.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return parts;
}

// The values after the class: a box, or the corners of a polygon, whose bounding box counts.
Box box_of(const std::vector<double>& v) {
  if (v.size() == 4) return {v[0] - v[2] / 2, v[1] - v[3] / 2, v[0] + v[2] / 2, v[1] + v[3] / 2};
  Box box{v[0], v[1], v[0], v[1]};
  for (size_t i = 2; i + 1 < v.size(); i += 2) {
    box.left = std::min(box.left, v[i]);
    box.right = std::max(box.right, v[i]);
    box.top = std::min(box.top, v[i + 1]);
    box.bottom = std::max(box.bottom, v[i + 1]);
  }
  return box;
}

// "" or why the line is no label.
std::string parse_line(std::string_view line, const std::vector<std::string>& names, SourceBox& box, Kind& kind) {
  const std::vector<std::string_view> parts = split_blanks(line);
  kind = Kind::kMalformed;
  if (parts.size() < 5 || (parts.size() > 5 && (parts.size() < 7 || parts.size() % 2 == 0)))
    return str(parts.size(), " values; a line is 'class cx cy width height' or 'class x1 y1 x2 y2 x3 y3 ...'");
  std::vector<double> values;
  for (const std::string_view part : parts) {
    const std::optional<double> number = parse_number(part);
    if (!number) return str("'", part, "' is no number");
    values.push_back(*number);
  }
  const double index = values[0];
  if (index != std::floor(index)) return str("the class '", parts[0], "' is no whole number");
  values.erase(values.begin());
  for (const double value : values)
    if (std::abs(value) > kFarOutside) return str("the value ", value, " is no fraction of the picture, 0 to 1");
  kind = Kind::kUnknownClass;
  if (index < 0 || index >= static_cast<double>(names.size()))
    return str("the class ", index, " is out of range; there are ", names.size(), " classes, 0 to ",
               static_cast<int64_t>(names.size()) - 1);
  box.name = names[static_cast<size_t>(index)];
  box.box = box_of(values);
  return "";
}

// Label files without a picture: in the folders of the labels that were read, for a source that is a folder.
void find_lost_labels(DetectionSource& source) {
  std::map<std::string, std::set<std::string>> known;  // folder: label files
  for (const SourcePicture& picture : source.pictures)
    if (!picture.labels.empty())
      known[fs::path(picture.labels).parent_path().string()].insert(fs::path(picture.labels).filename().string());
  for (const auto& [folder, files] : known)
    for (const fs::path& entry : folder_entries(folder)) {
      const std::string name = entry.filename().string();
      if (entry.extension() == ".txt" && !files.contains(name) && name != "classes.txt" && !is_folder(entry))
        source.bad.push_back({Kind::kMissingPicture, entry.string(), "a label file without a picture"});
    }
}

}  // namespace

void parse_yolo(std::string_view text, const std::vector<std::string>& names, SourcePicture& picture) {
  const std::vector<std::string_view> lines = text_lines(text);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (trim(lines[i]).empty()) continue;
    SourceBox box;
    box.place = static_cast<int64_t>(i) + 1;
    Kind kind = Kind::kMalformed;
    const std::string reason = parse_line(lines[i], names, box, kind);
    if (!reason.empty()) {
      picture.bad = {kind, str(picture.labels, ":", i + 1), reason};
      return;
    }
    picture.boxes.push_back(std::move(box));
  }
}

std::string yolo_label_file(const std::string& picture) {
  const fs::path path(picture);
  const fs::path label = fs::path(path).replace_extension(".txt");
  std::vector<fs::path> parts(label.begin(), label.end());
  for (size_t i = parts.size() - 1; i-- > 0;) {
    if (parts[i] != "images" && parts[i] != "JPEGImages") continue;
    fs::path moved;
    for (size_t k = 0; k < parts.size(); ++k) moved /= k == i ? fs::path("labels") : parts[k];
    if (is_there(moved)) return moved.string();
    break;
  }
  return is_there(label) ? label.string() : "";
}

DetectionSource read_yolo(const DetectionSetOptions& options) {
  const YoloFiles files = list_yolo_files(options);
  DetectionSource source;
  source.names = files.names;
  source.fractions = true;
  source.pictures.resize(files.pictures.size());
  parallel_for(static_cast<int64_t>(files.pictures.size()), [&](int64_t i) {
    SourcePicture& picture = source.pictures[static_cast<size_t>(i)];
    picture.path = files.pictures[static_cast<size_t>(i)];
    picture.labels = yolo_label_file(picture.path);
    if (!is_there(picture.path)) {
      picture.bad = {Kind::kMissingPicture, files.places[static_cast<size_t>(i)],
                     str("there is no picture '", picture.path, "'")};
      return;
    }
    if (picture.labels.empty()) return;  // a picture without objects
    try {
      parse_yolo(read_text(picture.labels, kMaxLabelBytes), files.names, picture);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kData) throw;
      picture.bad = {Kind::kMalformed, picture.labels, error.message()};
    }
  });
  if (files.whole_folders) find_lost_labels(source);
  return source;
}

}  // namespace ghost
