// What the readers of the three formats hand to open_detection_set(): labels as written, before sizes and classes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/detection_set.h"

namespace ghost {

struct SourceBox {
  Box box;  // as written: not cut, not ordered
  std::string name;
  int64_t place = 0;  // line of the label file; COCO: the annotation's id
  bool difficult = false, crowd = false;
  double area = -1;  // -1 where the format gives none
};

struct SourcePicture {
  std::string path, labels;   // the picture and its label file ("" is none)
  int64_t id = 0;             // 0: none given
  int width = 0, height = 0;  // as the labels say, 0 where they do not
  std::vector<SourceBox> boxes;
  std::optional<DetectionProblem> bad;  // cannot be used: left out, or an error
};

struct DetectionSource {
  std::vector<std::string> names;  // the format's own class table; empty where it has none
  std::vector<SourcePicture> pictures;
  std::vector<DetectionProblem> bad;  // labels that belong to no picture
  bool fractions = false;             // boxes are fractions of the upright picture
};

// skip_bad does not matter here: what is bad is noted. Throws kData where the source as a whole cannot be read.
DetectionSource read_voc(const DetectionSetOptions& options);
DetectionSource read_coco(const DetectionSetOptions& options);
DetectionSource read_yolo(const DetectionSetOptions& options);

// One label file's text, for the readers and their fuzz targets. Never throw; what is wrong goes to picture.bad.
void parse_voc(std::string_view text, SourcePicture& picture);
void parse_yolo(std::string_view text, const std::vector<std::string>& names, SourcePicture& picture);
// Throws kData with `path` and a line where the text is no JSON or no COCO file. Paths stay file_name.
DetectionSource parse_coco(std::string_view text, const std::string& path);

// The lines of a text without their ends ("\n" or "\r\n"), without a byte order mark; blank lines at the end are left
// out.
std::vector<std::string_view> text_lines(std::string_view text);
std::string_view trim(std::string_view text);
std::string read_text(const std::string& path, int64_t max_bytes);
// A whole finite number, with blanks around it.
std::optional<double> parse_number(std::string_view text);
// Lines of offsets in a text: 1 + the line ends before.
class LineNumbers {
 public:
  explicit LineNumbers(std::string_view text);
  int64_t at(int64_t offset) const;

 private:
  std::vector<int64_t> ends_;
};

// The picture files of a folder by their name without extension.
class PictureNames {
 public:
  explicit PictureNames(const std::filesystem::path& folder);
  // "" where there is none. `name` may have an extension or not.
  std::string find(const std::string& name) const;

 private:
  std::map<std::string, std::string> by_stem_, by_name_;
};
// Never throw: a name too long or a folder without permission is not there.
bool is_folder(const std::filesystem::path& path);
bool is_there(const std::filesystem::path& path);
// The entries of a folder in the order of their names' bytes, without hidden ones; empty where it cannot be read.
std::vector<std::filesystem::path> folder_entries(const std::filesystem::path& folder);

}  // namespace ghost
