// COCO: one JSON file with images, categories and annotations (cocodataset.org, "Data format").
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/error.h"
#include "data/detection_source.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Kind = DetectionProblem::Kind;

constexpr int64_t kMaxJsonBytes = int64_t{4} << 30;
constexpr int64_t kMaxSide = 1 << 24;

// Without the polygons, which are most of a large file.
json parse_json(std::string_view text, const std::string& path) {
  const auto keep = [](int, json::parse_event_t event, json& value) {
    return event != json::parse_event_t::key || value != "segmentation";
  };
  try {
    return json::parse(text.begin(), text.end(), keep);
  } catch (const json::parse_error& error) {
    GHOST_FAIL(kData, path, ":", LineNumbers(text).at(static_cast<int64_t>(error.byte) - 1),
               ": no valid JSON: ", error.what());
  } catch (const json::exception& error) {  // a number too large
    GHOST_FAIL(kData, path, ": no valid JSON: ", error.what());
  }
}

std::optional<int64_t> whole_number(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  if (found->is_number_unsigned() && found->get<uint64_t>() > INT64_MAX) return std::nullopt;
  if (found->is_number_integer()) return found->get<int64_t>();
  if (found->is_number_float() && std::abs(found->get<double>()) < 1e15 &&
      found->get<double>() == static_cast<double>(static_cast<int64_t>(found->get<double>())))
    return static_cast<int64_t>(found->get<double>());
  return std::nullopt;
}

std::optional<std::string> text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string() || found->get_ref<const std::string&>().empty()) return std::nullopt;
  return found->get<std::string>();
}

const json& list_of(const json& file, const char* key, const std::string& path) {
  GHOST_CHECK_AS(kData, file.is_object() && file.contains(key) && file[key].is_array(), path,
                 ": no COCO file: the list '", key, "' is missing");
  return file[key];
}

class CocoReader {
 public:
  CocoReader(const json& file, const std::string& path) : path_(path) {
    read_categories(list_of(file, "categories", path));
    read_images(list_of(file, "images", path));
    read_annotations(list_of(file, "annotations", path));
  }
  DetectionSource take() { return std::move(source_); }

 private:
  void read_categories(const json& categories) {
    std::map<int64_t, std::string> by_id;
    for (size_t i = 0; i < categories.size(); ++i) {
      const json& entry = categories[i];
      const std::optional<int64_t> id = whole_number(entry, "id");
      const std::optional<std::string> name = text_of(entry, "name");
      GHOST_CHECK_AS(kData, id && name, path_, ": categories[", i, "] needs a whole 'id' and a 'name'");
      GHOST_CHECK_AS(kData, by_id.emplace(*id, *name).second, path_, ": the category id ", *id, " is there twice");
    }
    for (const auto& [id, name] : by_id) source_.names.push_back(name);
    names_.insert(by_id.begin(), by_id.end());
  }

  void read_images(const json& images) {
    for (size_t i = 0; i < images.size(); ++i) {
      const std::optional<int64_t> id = whole_number(images[i], "id");
      const std::optional<std::string> name = text_of(images[i], "file_name");
      SourcePicture picture;
      picture.labels = path_;
      if (!id || !name) {
        picture.bad = {Kind::kMalformed, str(path_, ": images[", i, "]"),
                       "an image needs a whole 'id' and a 'file_name'"};
      } else if (!pictures_.emplace(*id, source_.pictures.size()).second) {
        picture.bad = {Kind::kMalformed, str(path_, ": images[", i, "]"), str("the image id ", *id, " is there twice")};
      } else {
        picture.id = *id;
        picture.path = *name;
        const int64_t width = whole_number(images[i], "width").value_or(0);
        const int64_t height = whole_number(images[i], "height").value_or(0);
        if (width > 0 && width < kMaxSide) picture.width = static_cast<int>(width);
        if (height > 0 && height < kMaxSide) picture.height = static_cast<int>(height);
      }
      source_.pictures.push_back(std::move(picture));
    }
  }

  void read_annotations(const json& annotations) {
    for (size_t i = 0; i < annotations.size(); ++i) {
      const std::optional<int64_t> id = whole_number(annotations[i], "id");
      const std::string place = id ? str(path_, ": annotation ", *id) : str(path_, ": annotations[", i, "]");
      const std::optional<int64_t> image = whole_number(annotations[i], "image_id");
      const auto found = image ? pictures_.find(*image) : pictures_.end();
      if (found == pictures_.end()) {
        source_.bad.push_back(
            {Kind::kMissingPicture, place,
             image ? str("there is no image with id ", *image) : "an annotation needs an 'image_id'"});
        continue;
      }
      SourcePicture& picture = source_.pictures[found->second];
      SourceBox box;
      box.place = id.value_or(static_cast<int64_t>(i));
      std::optional<DetectionProblem> bad = read_box(annotations[i], place, box);
      if (!bad) picture.boxes.push_back(std::move(box));
      if (bad && !picture.bad) picture.bad = std::move(bad);
    }
  }

  std::optional<DetectionProblem> read_box(const json& entry, const std::string& place, SourceBox& box) const {
    const std::optional<int64_t> category = whole_number(entry, "category_id");
    if (!category) return DetectionProblem{Kind::kMalformed, place, "an annotation needs a whole 'category_id'"};
    const auto name = names_.find(*category);
    if (name == names_.end())
      return DetectionProblem{Kind::kUnknownClass, place, str("there is no category with id ", *category)};
    box.name = name->second;
    const auto corners = entry.find("bbox");
    std::array<double, 4> value{};
    bool fine = corners != entry.end() && corners->is_array() && corners->size() == 4;
    for (size_t i = 0; fine && i < 4; ++i) {
      fine = (*corners)[i].is_number();
      if (fine) value[i] = (*corners)[i].get<double>();
    }
    if (!fine) return DetectionProblem{Kind::kMalformed, place, "'bbox' must be four numbers [x, y, width, height]"};
    box.box = {value[0], value[1], value[0] + value[2], value[1] + value[3]};
    box.crowd = whole_number(entry, "iscrowd").value_or(0) != 0 || entry.value("iscrowd", json()) == true;
    box.difficult = whole_number(entry, "difficult").value_or(0) != 0;  // our own, as data/detection_form.cpp writes it
    const auto area = entry.find("area");
    if (area != entry.end() && area->is_number() && area->get<double>() >= 0) box.area = area->get<double>();
    return std::nullopt;
  }

  const std::string& path_;
  DetectionSource source_;
  std::unordered_map<int64_t, std::string> names_;
  std::unordered_map<int64_t, size_t> pictures_;
};

// Where an annotation file's pictures may lie: beside it, in `images`, and in folders named as the file is
// (instances_train.json: train).
std::vector<fs::path> picture_folders(const fs::path& file) {
  const fs::path here = fs::absolute(file).parent_path();
  std::string name = file.stem().string();
  if (const size_t mark = name.find('_'); mark != std::string::npos) name = name.substr(mark + 1);
  std::vector<fs::path> folders;
  for (const fs::path& base : {here, here.parent_path()})
    for (const char* middle : {"", "images", "JPEGImages"})
      for (const std::string& last : {std::string(), name}) folders.push_back(base / middle / last);
  return folders;
}

}  // namespace

DetectionSource parse_coco(std::string_view text, const std::string& path) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const json file = parse_json(text, path);
  return CocoReader(file, path).take();
}

DetectionSource read_coco(const DetectionSetOptions& options) {
  DetectionSource source = parse_coco(read_text(options.source, kMaxJsonBytes), options.source);
  const std::vector<fs::path> folders = picture_folders(options.source);
  size_t last = 0;  // most pictures lie where the one before did
  for (SourcePicture& picture : source.pictures) {
    if (picture.bad) continue;
    bool found = false;
    for (size_t i = 0; i < folders.size() && !found; ++i) {
      const size_t folder = (last + i) % folders.size();
      const fs::path path = folders[folder] / picture.path;
      found = is_there(path) && !is_folder(path);
      if (!found) continue;
      last = folder;
      picture.path = path.lexically_normal().string();
    }
    if (!found)
      picture.bad = {
          Kind::kMissingPicture, options.source,
          str("no picture '", picture.path, "' (image ", picture.id, ") beside the file, in 'images' or around")};
  }
  return source;
}

}  // namespace ghost
