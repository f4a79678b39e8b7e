#include "data/yolo_source.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "core/error.h"
#include "data/detection_source.h"
#include "data/image_folder.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxListBytes = int64_t{1} << 30;
constexpr int64_t kMaxClasses = 100000;
constexpr int kMaxDepth = 32;  // of folders: links may go in circles

void list_folder(const fs::path& folder, YoloFiles& files, int depth = 0) {
  if (depth > kMaxDepth) return;
  for (const fs::path& entry : folder_entries(folder)) {
    if (is_folder(entry)) {
      list_folder(entry, files, depth + 1);
    } else if (has_picture_extension(entry.filename().string())) {
      files.pictures.push_back(entry.string());
      files.places.push_back(entry.string());
    }
  }
}

// A line of a picture list: beside the list, in the folder above, or from where the program runs.
std::string find_listed(const fs::path& list, const fs::path& name) {
  if (name.is_absolute()) return name.string();
  const fs::path here = fs::absolute(list).parent_path();
  for (const fs::path& base : {here, here.parent_path(), fs::path()})
    if (is_there(base / name)) return (base / name).lexically_normal().string();
  return (here / name).lexically_normal().string();
}

void read_list(const std::string& list, YoloFiles& files) {
  const std::string text = read_text(list, kMaxListBytes);
  const std::vector<std::string_view> lines = text_lines(text);
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string_view name = trim(lines[i]);
    if (name.empty()) continue;
    files.pictures.push_back(find_listed(list, fs::path(name)));
    files.places.push_back(str(list, ":", i + 1));
  }
}

void add_source(const std::string& source, YoloFiles& files) {
  if (is_folder(source)) {
    files.whole_folders = true;
    list_folder(source, files);
  } else {
    GHOST_CHECK_AS(kData, is_there(source), "there is no YOLO data set '", source, "'");
    GHOST_CHECK_AS(kData, source.ends_with(".txt"), "'", source,
                   "' is no YOLO data set; it is a folder of pictures, a list of pictures (.txt), or data.yaml#split");
    read_list(source, files);
  }
}

std::vector<std::string> yaml_names(const YAML::Node& names, const std::string& file) {
  std::vector<std::string> result;
  if (names.IsSequence()) {
    for (const YAML::Node& name : names) result.push_back(name.as<std::string>());
  } else if (names.IsMap()) {
    std::map<int64_t, std::string> by_index;
    for (const auto& entry : names) by_index[entry.first.as<int64_t>()] = entry.second.as<std::string>();
    for (const auto& [index, name] : by_index) {
      GHOST_CHECK_AS(kData, index == static_cast<int64_t>(result.size()) && index < kMaxClasses, file, ":",
                     names.Mark().line + 1, ": 'names' must number the classes 0, 1, 2, ...; ", result.size(),
                     " is missing before ", index);
      result.push_back(name);
    }
  }
  GHOST_CHECK_AS(kData, !result.empty(), file, ": 'names' must list the classes");
  return result;
}

// A path in data.yaml: below `path`, else below the file's folder, also without the "../" that some exports write.
std::string find_split(const fs::path& file, const std::string& base, std::string entry) {
  const fs::path here = fs::absolute(file).parent_path();
  const fs::path root = here / base;
  for (const fs::path& folder : {root, here})
    if (is_there(folder / entry)) return (folder / entry).lexically_normal().string();
  const std::string first = (root / entry).lexically_normal().string();
  while (entry.starts_with("../")) entry = entry.substr(3);
  return is_there(here / entry) ? (here / entry).lexically_normal().string() : first;
}

void read_yaml(const std::string& file, const std::string& split, YoloFiles& files) {
  const std::string text = read_text(file, kMaxListBytes);
  try {
    const YAML::Node root = YAML::Load(text);
    GHOST_CHECK_AS(kData, root.IsMap(), file, ": no data.yaml; it needs 'names' and '", split, "'");
    if (root["names"]) files.names = yaml_names(root["names"], file);
    GHOST_CHECK_AS(kData, !root["nc"] || root["nc"].as<int64_t>() == static_cast<int64_t>(files.names.size()), file,
                   ": 'nc' is ", root["nc"].as<std::string>("?"), ", 'names' has ", files.names.size(), " classes");
    const YAML::Node entry = root[split];
    GHOST_CHECK_AS(kData, entry && !entry.IsNull(), file, ": there is no split '", split, "'");
    const std::string base = root["path"] ? root["path"].as<std::string>() : "";
    if (entry.IsSequence()) {
      for (const YAML::Node& part : entry) add_source(find_split(file, base, part.as<std::string>()), files);
    } else {
      add_source(find_split(file, base, entry.as<std::string>()), files);
    }
  } catch (const YAML::Exception& error) {
    GHOST_FAIL(kData, file, ":", error.mark.line + 1, ": ", error.msg);
  }
}

// classes.txt or obj.names in the source's folder or the three above.
std::string find_class_file(const std::string& source) {
  fs::path folder = fs::absolute(source).lexically_normal();
  for (int i = 0; i < 4; ++i, folder = folder.parent_path())
    for (const char* name : {"classes.txt", "labels/classes.txt", "obj.names"})
      if (is_there(folder / name)) return (folder / name).string();
  return "";
}

}  // namespace

YoloFiles list_yolo_files(const DetectionSetOptions& options) {
  YoloFiles files;
  std::string file = options.source, split = "train";
  const size_t mark = file.rfind('#');
  const auto is_yaml = [](const std::string& name) { return name.ends_with(".yaml") || name.ends_with(".yml"); };
  if (mark != std::string::npos && is_yaml(file.substr(0, mark))) {
    split = file.substr(mark + 1);
    file.resize(mark);
  }
  if (is_yaml(file) && !is_folder(file)) {
    read_yaml(file, split, files);
  } else {
    add_source(file, files);
  }
  GHOST_CHECK_AS(kData, !files.pictures.empty(), "no picture (.jpg .jpeg .png .bmp) in '", options.source, "'");
  if (!files.names.empty()) return files;
  const std::string class_file = options.class_file.empty() ? find_class_file(file) : options.class_file;
  files.names = class_file.empty() ? options.classes : read_class_file(class_file);
  GHOST_CHECK_AS(kData, !files.names.empty(), "no class names for '", options.source,
                 "'; name the file with one class per line (class_file), or use a data.yaml");
  return files;
}

}  // namespace ghost
