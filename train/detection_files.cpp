#include "train/detection_files.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/atomic_file.h"
#include "core/error.h"
#include "data/picture_source.h"
#include "train/csv_field.h"
#include "train/number_text.h"
#include "train/svg_plot.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

// A number of at most `decimals` decimals.
std::string rounded(double value, int decimals) {
  const double scale = std::pow(10.0, decimals);
  return shortest(std::round(value * scale) / scale + 0.0);  // no "-0"
}

std::string json_text(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

const std::string& name_of(const std::vector<std::string>& classes, int64_t label) {
  GHOST_ASSERT(label >= 0 && label < static_cast<int64_t>(classes.size()), "label ", label, " of ", classes.size());
  return classes[static_cast<size_t>(label)];
}

void check_finite(const DetectedPicture& picture, const ScoredBox& found) {
  GHOST_CHECK_AS(kNonFinite,
                 std::isfinite(found.box.left) && std::isfinite(found.box.top) && std::isfinite(found.box.right) &&
                     std::isfinite(found.box.bottom) && std::isfinite(found.score),
                 picture.path, ": a detection is not finite, so it cannot be written: the network's output is broken");
}

// The boxes cut at the borders, those of no area left out.
std::vector<ScoredBox> inside(const DetectedPicture& picture) {
  const Box whole = picture_box(picture.width, picture.height);
  std::vector<ScoredBox> result;
  for (ScoredBox found : picture.boxes) {
    check_finite(picture, found);
    found.box = intersect(found.box, whole);
    if (found.box.width() > 0 && found.box.height() > 0) result.push_back(found);
  }
  return result;
}

}  // namespace

std::vector<std::string> result_names(const std::vector<std::string>& paths) {
  std::set<std::string> used;
  std::vector<std::string> names;
  for (const std::string& path : paths) {
    const std::string stem = fs::path(path).stem().string();
    std::string name = stem;
    for (int copy = 2; !used.insert(name).second; ++copy) name = str(stem, '-', copy);
    names.push_back(name);
  }
  return names;
}

std::string coco_results_json(const std::vector<DetectedPicture>& pictures, const CocoResultsOptions& options) {
  std::string text = "[";
  const char* before = "\n";
  for (const DetectedPicture& picture : pictures) {
    for (const ScoredBox& found : picture.boxes) {
      check_finite(picture, found);
      int64_t category = found.label + 1;
      if (!options.category_ids.empty()) category = options.category_ids.at(static_cast<size_t>(found.label));
      text += str(before, "{\"image_id\":", picture.id, ",\"category_id\":", category, ",\"bbox\":[",
                  shortest(found.box.left), ',', shortest(found.box.top), ',', shortest(found.box.width()), ',',
                  shortest(found.box.height()), "],\"score\":", shortest(found.score));
      if (!options.classes.empty())
        text += str(",\"category_name\":", json_text(name_of(options.classes, found.label)),
                    ",\"file_name\":", json_text(picture.path));
      text += '}';
      before = ",\n";
    }
  }
  return text + "\n]\n";
}

std::string detections_csv(const std::vector<DetectedPicture>& pictures, const std::vector<std::string>& classes) {
  std::string text = "file,class,score,left,top,right,bottom,error\n";
  for (const DetectedPicture& picture : pictures) {
    const std::string file = csv_field(picture.path);
    if (!picture.error.empty()) text += str(file, ",,,,,,,", csv_field(picture.error), '\n');
    for (const ScoredBox& found : picture.boxes) {
      check_finite(picture, found);
      text += str(file, ',', csv_field(name_of(classes, found.label)), ',', rounded(found.score, 6), ',',
                  rounded(found.box.left, 2), ',', rounded(found.box.top, 2), ',', rounded(found.box.right, 2), ',',
                  rounded(found.box.bottom, 2), ",\n");
    }
  }
  return text;
}

std::string yolo_text(const DetectedPicture& picture, bool with_scores) {
  std::string text;
  for (const ScoredBox& found : inside(picture)) {
    const Box& box = found.box;
    text += str(found.label, ' ', rounded((box.left + box.right) / 2 / picture.width, 6), ' ',
                rounded((box.top + box.bottom) / 2 / picture.height, 6), ' ', rounded(box.width() / picture.width, 6),
                ' ', rounded(box.height() / picture.height, 6));
    if (with_scores) text += ' ' + rounded(found.score, 6);
    text += '\n';
  }
  return text;
}

std::string voc_xml(const DetectedPicture& picture, const std::vector<std::string>& classes) {
  const fs::path path(picture.path);
  std::string text =
      str("<annotation>\n  <folder>", xml_text(path.parent_path().filename().string()), "</folder>\n  <filename>",
          xml_text(path.filename().string()), "</filename>\n  <path>", xml_text(picture.path),
          "</path>\n  <size>\n    <width>", picture.width, "</width>\n    <height>", picture.height,
          "</height>\n    <depth>3</depth>\n  </size>\n  <segmented>0</segmented>\n");
  for (const ScoredBox& found : inside(picture)) {
    text += str("  <object>\n    <name>", xml_text(name_of(classes, found.label)),
                "</name>\n    <pose>Unspecified</pose>\n    <truncated>0</truncated>\n    <difficult>0</difficult>\n",
                "    <bndbox>\n      <xmin>", rounded(found.box.left, 2), "</xmin>\n      <ymin>",
                rounded(found.box.top, 2), "</ymin>\n      <xmax>", rounded(found.box.right, 2),
                "</xmax>\n      <ymax>", rounded(found.box.bottom, 2), "</ymax>\n    </bndbox>\n    <score>",
                rounded(found.score, 6), "</score>\n  </object>\n");
  }
  return text + "</annotation>\n";
}

DetectionOutput detection_output_from_name(const std::string& name) {
  if (name == "json") return DetectionOutput::kJson;
  if (name == "csv") return DetectionOutput::kCsv;
  if (name == "yolo") return DetectionOutput::kYolo;
  if (name == "voc") return DetectionOutput::kVoc;
  GHOST_FAIL(kUsage, "unknown form of detections '", name, "'; use json (COCO results), csv, yolo or voc");
}

std::vector<std::string> write_detections(const std::string& folder, DetectionOutput output,
                                          const std::vector<DetectedPicture>& pictures,
                                          const std::vector<std::string>& classes, const CocoResultsOptions& options) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  GHOST_CHECK_AS(kDisk, !failure, "cannot make the folder '", folder, "': ", failure.message());
  std::vector<std::string> written;
  const auto write = [&](const std::string& name, const std::string& text) {
    written.push_back((fs::path(folder) / name).string());
    write_file_atomically(written.back(), text);
  };
  if (output == DetectionOutput::kJson) {
    write("detections.json", coco_results_json(pictures, options));
  } else if (output == DetectionOutput::kCsv) {
    write("detections.csv", detections_csv(pictures, classes));
  } else {
    const bool yolo = output == DetectionOutput::kYolo;
    const std::vector<std::string> names = result_names(paths_of(pictures));
    for (size_t i = 0; i < pictures.size(); ++i) {
      if (!pictures[i].error.empty()) continue;
      write(names[i] + (yolo ? ".txt" : ".xml"), yolo ? yolo_text(pictures[i]) : voc_xml(pictures[i], classes));
    }
    std::string table;
    for (const std::string& name : classes) table += name + '\n';
    if (yolo) write("classes.txt", table);
  }
  return written;
}

}  // namespace ghost
