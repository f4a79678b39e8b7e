// PASCAL VOC: one XML file per picture. Corners are taken as written, without a shift of one pixel.
#include <algorithm>
#include <array>
#include <pugixml.hpp>

#include "core/error.h"
#include "core/parallel.h"
#include "data/detection_source.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;
using Kind = DetectionProblem::Kind;

constexpr int64_t kMaxXmlBytes = int64_t{64} << 20;

struct XmlReader {
  LineNumbers lines;
  SourcePicture& picture;

  // Notes why the file cannot be used, and where; the first reason stays.
  bool fail(const pugi::xml_node& node, const std::string& reason) const { return fail(node.offset_debug(), reason); }
  bool fail(ptrdiff_t offset, const std::string& reason) const {
    if (!picture.bad) picture.bad = {Kind::kMalformed, str(picture.labels, ":", lines.at(offset)), reason};
    return false;
  }

  bool read_box(const pugi::xml_node& object, Box& box) const {
    const pugi::xml_node corners = object.child("bndbox");
    if (!corners) return fail(object, "<object> has no <bndbox>");
    const std::array<std::pair<const char*, double*>, 4> parts{
        {{"xmin", &box.left}, {"ymin", &box.top}, {"xmax", &box.right}, {"ymax", &box.bottom}}};
    for (const auto& [name, value] : parts) {
      const pugi::xml_node part = corners.child(name);
      if (!part) return fail(corners, str("<bndbox> has no <", name, ">"));
      const std::optional<double> number = parse_number(part.child_value());
      if (!number) return fail(part, str("<", name, "> is '", part.child_value(), "', which is no number"));
      *value = *number;
    }
    return true;
  }

  bool read_object(const pugi::xml_node& object) const {
    SourceBox box;
    box.name = trim(object.child_value("name"));
    if (box.name.empty()) return fail(object, "<object> has no <name>");
    const std::string_view difficult = trim(object.child_value("difficult"));
    box.difficult = difficult == "1" || difficult == "true";
    const std::string_view crowd = trim(object.child_value("crowd"));  // our own, as data/detection_form.cpp writes it
    box.crowd = crowd == "1" || crowd == "2";
    if (crowd == "1") box.difficult = false;
    box.area = std::max(-1.0, parse_number(object.child_value("area")).value_or(-1));
    box.place = lines.at(object.offset_debug());
    if (!read_box(object, box.box)) return false;
    picture.boxes.push_back(std::move(box));
    return true;
  }
};

// The entries of an image list, or all XML files of a folder.
struct VocFiles {
  fs::path annotations, pictures;
  std::vector<std::string> stems;
};

VocFiles list_folder(const fs::path& root) {
  VocFiles files{root / "Annotations", root / "JPEGImages", {}};
  if (!is_folder(files.annotations)) files.annotations = root;
  if (!is_folder(files.pictures)) files.pictures = is_folder(root / "images") ? root / "images" : root;
  for (const fs::path& entry : folder_entries(files.annotations))
    if (entry.extension() == ".xml") files.stems.push_back(entry.stem().string());
  GHOST_CHECK_AS(kData, !files.stems.empty(), "no .xml file in '", files.annotations.string(),
                 "'; a VOC data set has JPEGImages/ and Annotations/, or its XML files beside the pictures");
  return files;
}

// A list in ImageSets/Main: a name per line, with " 1", " 0" or " -1" behind it in the lists of one class.
VocFiles list_names(const fs::path& list) {
  const fs::path root = fs::absolute(list).parent_path().parent_path().parent_path();
  VocFiles files{root / "Annotations", root / "JPEGImages", {}};
  GHOST_CHECK_AS(kData, is_folder(files.annotations), "there is no folder '", files.annotations.string(),
                 "' for the list '", list.string(), "'; a VOC list lies at SET/ImageSets/Main/NAME.txt");
  const std::string text = read_text(list.string(), kMaxXmlBytes);
  for (const std::string_view line : text_lines(text)) {
    std::string name(trim(line));
    if (name.empty()) continue;
    const size_t blank = name.find_last_of(" \t");
    if (blank != std::string::npos && !is_there(files.annotations / (name + ".xml"))) {
      const std::string flag = name.substr(blank + 1);
      if (flag == "1" || flag == "0" || flag == "-1") name = trim(name.substr(0, blank));
    }
    files.stems.push_back(std::move(name));
  }
  GHOST_CHECK_AS(kData, !files.stems.empty(), "the list '", list.string(), "' names no picture");
  return files;
}

SourcePicture read_picture(const VocFiles& files, const PictureNames& names, const std::string& stem) {
  SourcePicture picture;
  picture.labels = (files.annotations / (stem + ".xml")).string();
  picture.path = names.find(stem);
  try {
    parse_voc(read_text(picture.labels, kMaxXmlBytes), picture);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kData) throw;
    picture.bad = {Kind::kMalformed, picture.labels, error.message()};
  }
  return picture;
}

}  // namespace

void parse_voc(std::string_view text, SourcePicture& picture) {
  const XmlReader reader{LineNumbers(text), picture};
  pugi::xml_document document;
  const pugi::xml_parse_result result = document.load_buffer(text.data(), text.size());
  if (!result) {
    reader.fail(result.offset, str("no valid XML: ", result.description()));
    return;
  }
  const pugi::xml_node root = document.child("annotation");
  if (!root) {
    reader.fail(0, "no VOC annotation: the element <annotation> is missing");
    return;
  }
  picture.width = root.child("size").child("width").text().as_int();
  picture.height = root.child("size").child("height").text().as_int();
  if (picture.path.empty()) picture.path = trim(root.child_value("filename"));
  for (const pugi::xml_node& object : root.children("object"))
    if (!reader.read_object(object)) return;
}

DetectionSource read_voc(const DetectionSetOptions& options) {
  GHOST_CHECK_AS(kData, is_there(options.source), "there is no VOC data set '", options.source, "'");
  const VocFiles files = is_folder(options.source) ? list_folder(options.source) : list_names(options.source);
  const PictureNames names(files.pictures);
  DetectionSource source;
  source.pictures.resize(files.stems.size());
  parallel_for(static_cast<int64_t>(files.stems.size()), [&](int64_t i) {
    SourcePicture& picture = source.pictures[static_cast<size_t>(i)];
    picture = read_picture(files, names, files.stems[static_cast<size_t>(i)]);
    if (picture.bad || fs::path(picture.path).has_parent_path()) return;
    const std::string found = picture.path.empty() ? "" : names.find(picture.path);  // <filename> of the XML
    if (found.empty())
      picture.bad = {Kind::kMissingPicture, picture.labels,
                     str("no picture (.jpg .jpeg .png .bmp) of this name in '", files.pictures.string(), "'")};
    picture.path = found;
  });
  return source;
}

}  // namespace ghost
