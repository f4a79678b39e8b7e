#include "data/detection_form.h"

#include <yaml-cpp/yaml.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"

namespace ghost {
namespace {

using nlohmann::json;

// The shortest text that reads back as the same number.
std::string number(double value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  GHOST_ASSERT(error == std::errc());
  return {text.data(), end};
}

std::string xml(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '&') {
      result += "&amp;";
    } else if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else {
      result += c;
    }
  }
  return result;
}

std::string dump(const json& value, const std::string& what) {
  try {
    return value.dump();
  } catch (const json::exception&) {
    GHOST_FAIL(kData, "JSON is UTF-8, but the name '", what, "' is not; rename it");
  }
}

// COCO's ids: the samples' own where each has one of its own.
bool ids_fit(const std::vector<NamedSample>& pictures) {
  std::set<int64_t> seen;
  for (const NamedSample& picture : pictures)
    if (picture.sample->id < 0 || !seen.insert(picture.sample->id).second) return false;
  return true;
}

json coco_annotation(const BoxLabel& label, int64_t id, int64_t image) {
  const Box& box = label.box;
  json entry{{"id", id},
             {"image_id", image},
             {"category_id", label.label + 1},
             {"bbox", {box.left, box.top, box.width(), box.height()}},
             {"area", label.area},
             {"iscrowd", label.crowd ? 1 : 0}};
  if (label.difficult) entry["difficult"] = 1;
  return entry;
}

}  // namespace

std::string voc_text(const NamedSample& picture, const std::vector<std::string>& classes) {
  const DetectionSample& sample = *picture.sample;
  std::string text =
      "<annotation>\n  <folder>JPEGImages</folder>\n  <filename>" + xml(picture.file) + "</filename>\n" +
      str("  <size><width>", sample.width, "</width><height>", sample.height, "</height><depth>3</depth></size>\n");
  for (const BoxLabel& label : sample.boxes) {
    const Box& box = label.box;
    text += "  <object>\n    <name>" + xml(classes[static_cast<size_t>(label.label)]) + "</name>\n";
    text += str("    <difficult>", label.difficult || label.crowd ? 1 : 0, "</difficult>\n");
    if (label.crowd) text += str("    <crowd>", label.difficult ? 2 : 1, "</crowd>\n");
    if (label.area != box.area()) text += "    <area>" + number(label.area) + "</area>\n";
    text += "    <bndbox><xmin>" + number(box.left) + "</xmin><ymin>" + number(box.top) + "</ymin><xmax>" +
            number(box.right) + "</xmax><ymax>" + number(box.bottom) + "</ymax></bndbox>\n  </object>\n";
  }
  return text + "</annotation>\n";
}

std::string coco_text(const std::vector<NamedSample>& pictures, const std::vector<std::string>& classes) {
  std::string images, annotations, categories;
  const auto add = [](std::string& list, const std::string& entry) { list += (list.empty() ? "\n" : ",\n") + entry; };
  const bool keep_ids = ids_fit(pictures);
  int64_t annotation = 0;
  for (size_t i = 0; i < pictures.size(); ++i) {
    const DetectionSample& sample = *pictures[i].sample;
    const int64_t id = keep_ids ? sample.id : static_cast<int64_t>(i) + 1;
    const json image{{"id", id}, {"file_name", pictures[i].file}, {"width", sample.width}, {"height", sample.height}};
    add(images, dump(image, pictures[i].file));
    for (const BoxLabel& label : sample.boxes) add(annotations, dump(coco_annotation(label, ++annotation, id), ""));
  }
  for (size_t i = 0; i < classes.size(); ++i)
    add(categories, dump(json{{"id", i + 1}, {"name", classes[i]}, {"supercategory", "none"}}, classes[i]));
  return "{\"images\": [" + images + "],\n\"annotations\": [" + annotations + "],\n\"categories\": [" + categories +
         "]}\n";
}

std::string yolo_text(const DetectionSample& sample) {
  std::string text;
  for (const BoxLabel& label : sample.boxes) {
    if (label.difficult || label.crowd) continue;
    const Box& box = label.box;
    text += str(label.label, " ", number((box.left + box.right) / 2 / sample.width), " ",
                number((box.top + box.bottom) / 2 / sample.height), " ", number(box.width() / sample.width), " ",
                number(box.height() / sample.height), "\n");
  }
  return text;
}

std::string yolo_yaml(const std::vector<std::string>& splits, const std::vector<std::string>& classes) {
  YAML::Emitter yaml;
  yaml << YAML::BeginMap << YAML::Key << "path" << YAML::Value << ".";
  for (const std::string& split : splits) yaml << YAML::Key << split << YAML::Value << "images/" + split;
  yaml << YAML::Key << "names" << YAML::Value << YAML::BeginMap;
  for (size_t i = 0; i < classes.size(); ++i) yaml << YAML::Key << i << YAML::Value << YAML::DoubleQuoted << classes[i];
  yaml << YAML::EndMap << YAML::EndMap;
  return std::string(yaml.c_str()) + "\n";
}

}  // namespace ghost
