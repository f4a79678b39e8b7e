#include "data/detection_set.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>

#include "core/error.h"
#include "core/parallel.h"
#include "data/detection_source.h"
#include "data/file_bytes.h"
#include "data/image_folder.h"
#include "data/picture_header.h"

namespace ghost {
namespace {

using Kind = DetectionProblem::Kind;

constexpr double kBorderTolerance = 0.05;  // pixels: fractions with few digits lie a little outside
constexpr double kThinBox = 2;             // pixels
constexpr size_t kNamesShown = 30;

std::string list_names(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < kNamesShown; ++i) text += (i ? ", '" : "'") + names[i] + "'";
  if (names.size() > kNamesShown) text += str(" and ", names.size() - kNamesShown, " more");
  return text;
}

std::string place_of(DetectionFormat format, const SourcePicture& picture, const SourceBox& box) {
  return format == DetectionFormat::kCoco ? str(picture.labels, ": annotation ", box.place)
                                          : str(picture.labels, ":", box.place);
}

// The class table: given (weights), from the class file, the format's own, or the sorted names.
std::vector<std::string> class_table(const DetectionSetOptions& options, const DetectionSource& source) {
  if (!options.classes.empty()) return options.classes;
  if (!options.class_file.empty()) return read_class_file(options.class_file);
  if (!source.names.empty()) return source.names;
  std::set<std::string> names;
  for (const SourcePicture& picture : source.pictures)
    for (const SourceBox& box : picture.boxes) names.insert(box.name);
  return {names.begin(), names.end()};
}

// Turns a box of the stored picture (width x height) upright; orientation 5 to 8, which swap the sides.
Box turn_upright(const Box& box, int orientation, double width, double height) {
  const bool flip_x = orientation == 6 || orientation == 7;  // of the upright picture, whose width is `height`
  const bool flip_y = orientation == 7 || orientation == 8;
  Box turned{box.top, box.left, box.bottom, box.right};
  if (flip_x) turned = {height - box.bottom, turned.top, height - box.top, turned.bottom};
  if (flip_y) turned = {turned.left, width - box.right, turned.right, width - box.left};
  return turned;
}

// One picture: its size from the file, its boxes in upright pixels, cut at the borders.
class PictureReader {
 public:
  PictureReader(const DetectionSetOptions& options, const DetectionSource& source,
                const std::map<std::string, int64_t>& labels)
      : options_(options), source_(source), labels_(labels) {}

  struct Result {
    DetectionSample sample;
    bool bad = false;  // left out; the first problem says why
    std::vector<DetectionProblem> problems;
  };

  Result read(const SourcePicture& picture) const {
    Result result;
    if (picture.bad) {
      result.bad = true;
      result.problems.push_back(*picture.bad);
      return result;
    }
    int orientation = 1;
    if (!read_size(picture, result, orientation)) return result;
    result.sample.path = picture.path;
    result.sample.id = picture.id;
    // Labels made on the picture as stored say so by its size.
    const bool turn = orientation >= 5 && picture.width == result.sample.height &&
                      picture.height == result.sample.width && picture.width != picture.height && !source_.fractions;
    if (!turn) note_other_size(picture, result);
    for (const SourceBox& box : picture.boxes) add_box(picture, box, turn ? orientation : 1, result);
    find_duplicates(picture, result);
    return result;
  }

 private:
  bool read_size(const SourcePicture& picture, Result& result, int& orientation) const {
    thread_local std::vector<uint8_t> bytes;
    PictureHeader header;
    std::string reason;
    try {
      read_file(picture.path, bytes);
      reason = parse_picture_header(bytes, header);
      if (reason.empty() && (header.width <= 0 || header.height <= 0)) reason = "a picture without pixels";
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kData) throw;
      reason = error.message();
    }
    if (!reason.empty()) {
      result.bad = true;
      result.problems.push_back({Kind::kUnreadable, picture.path, reason});
      return false;
    }
    orientation = header.orientation;
    if (orientation >= 5) std::swap(header.width, header.height);
    result.sample.width = static_cast<int>(header.width);
    result.sample.height = static_cast<int>(header.height);
    return true;
  }

  static void note_other_size(const SourcePicture& picture, Result& result) {
    const DetectionSample& sample = result.sample;
    if (picture.width <= 0 || picture.height <= 0) return;
    if (picture.width == sample.width && picture.height == sample.height) return;
    result.problems.push_back({Kind::kOtherSize, picture.labels,
                               str("the labels are for ", picture.width, "x", picture.height, ", '", picture.path,
                                   "' has ", sample.width, "x", sample.height)});
  }

  void add_box(const SourcePicture& picture, const SourceBox& source, int orientation, Result& result) const {
    const DetectionSample& sample = result.sample;
    Box box = source.box;
    if (source_.fractions)
      box = {box.left * sample.width, box.top * sample.height, box.right * sample.width, box.bottom * sample.height};
    if (orientation >= 5) box = turn_upright(box, orientation, picture.width, picture.height);
    const auto note = [&](Kind kind, const std::string& what) {
      result.problems.push_back({kind, place_of(options_.format, picture, source),
                                 str(what, ": '", source.name, "' ", box.left, ",", box.top, " to ", box.right, ",",
                                     box.bottom, " in ", sample.width, "x", sample.height)});
    };
    if (box.width() <= 0 || box.height() <= 0) return note(Kind::kNoArea, "a box without area, left out");
    const Box cut = intersect(box, picture_box(sample.width, sample.height));
    if (cut.width() <= 0 || cut.height() <= 0) return note(Kind::kOutside, "a box outside the picture, left out");
    if (std::max({cut.left - box.left, cut.top - box.top, box.right - cut.right, box.bottom - cut.bottom}) >
        kBorderTolerance)
      note(Kind::kOutside, "a box that reaches outside, cut");
    if (std::min(cut.width(), cut.height()) < kThinBox) note(Kind::kThin, "a box less than 2 pixels thin");
    BoxLabel label{cut, labels_.at(source.name), source.difficult, source.crowd, source.area};
    if (label.area < 0) label.area = cut.area();
    result.sample.boxes.push_back(label);
  }

  void find_duplicates(const SourcePicture& picture, Result& result) const {
    std::map<std::pair<std::array<double, 4>, int64_t>, int64_t> seen;
    for (const BoxLabel& label : result.sample.boxes)
      ++seen[{{label.box.left, label.box.top, label.box.right, label.box.bottom}, label.label}];
    for (const auto& [key, count] : seen)
      if (count > 1)
        result.problems.push_back({Kind::kDuplicate, picture.labels,
                                   str("the same box ", count, " times: ", key.first[0], ",", key.first[1], " to ",
                                       key.first[2], ",", key.first[3], " of '", picture.path, "'")});
  }

  const DetectionSetOptions& options_;
  const DetectionSource& source_;
  const std::map<std::string, int64_t>& labels_;
};

DetectionSource read_source(const DetectionSetOptions& options) {
  switch (options.format) {
    case DetectionFormat::kVoc: return read_voc(options);
    case DetectionFormat::kCoco: return read_coco(options);
    case DetectionFormat::kYolo: return read_yolo(options);
  }
  GHOST_ASSERT(false);
  return {};
}

// A name that a given table lacks ends it: training would take the object for background.
void check_names(const DetectionSetOptions& options, const DetectionSource& source,
                 const std::vector<std::string>& classes, const std::map<std::string, int64_t>& labels) {
  for (const SourcePicture& picture : source.pictures)
    for (const SourceBox& box : picture.boxes)
      GHOST_CHECK_AS(kData, labels.contains(box.name), place_of(options.format, picture, box), ": the class '",
                     box.name, "' is not in the class table",
                     options.classes.empty() ? " of '" + options.class_file + "'" : " of the model", "; its ",
                     classes.size(), " classes are: ", list_names(classes), ". Rename the class or add it");
}

void require_boxes(const DetectionSet& set, int64_t left_out) {
  const std::string first =
      set.problems.empty() ? "" : "; the first problem: " + set.problems[0].place + ": " + set.problems[0].reason;
  GHOST_CHECK_AS(kData, !set.samples.empty(), "no picture with labels in '", set.source, "'",
                 left_out ? str(": all ", left_out, " were left out") : "", first);
  for (const DetectionSample& sample : set.samples)
    if (!sample.boxes.empty()) return;
  GHOST_FAIL(kData, "no box at all in the ", set.samples.size(), " pictures of '", set.source,
             "'; look for label files without lines, or in another folder than the pictures' names say", first);
}

}  // namespace

DetectionSet open_detection_set(const DetectionSetOptions& options) {
  GHOST_CHECK(!options.source.empty(), "the data set's source is missing");
  const DetectionSource source = read_source(options);
  DetectionSet set;
  set.source = options.source;
  set.format = options.format;
  set.classes = class_table(options, source);
  std::map<std::string, int64_t> labels;
  for (const std::string& name : set.classes)
    GHOST_CHECK_AS(kData, labels.emplace(name, static_cast<int64_t>(labels.size())).second, "the class '", name,
                   "' is twice in the class table of '", options.source, "'");
  check_names(options, source, set.classes, labels);

  const PictureReader reader(options, source, labels);
  std::vector<PictureReader::Result> results(source.pictures.size());
  parallel_for(static_cast<int64_t>(results.size()), [&](int64_t i) {
    results[static_cast<size_t>(i)] = reader.read(source.pictures[static_cast<size_t>(i)]);
  });
  set.counts.assign(set.classes.size(), 0);
  set.problems = source.bad;
  GHOST_CHECK_AS(kData, options.skip_bad || source.bad.empty(), source.bad[0].place, ": ", source.bad[0].reason);
  int64_t left_out = 0;
  for (PictureReader::Result& result : results) {
    std::move(result.problems.begin(), result.problems.end(), std::back_inserter(set.problems));
    left_out += result.bad;
    GHOST_CHECK_AS(kData, options.skip_bad || !result.bad, set.problems.back().place, ": ", set.problems.back().reason);
    if (result.bad) continue;
    for (const BoxLabel& box : result.sample.boxes) ++set.counts[static_cast<size_t>(box.label)];
    if (result.sample.id == 0 && options.format != DetectionFormat::kCoco)
      result.sample.id = static_cast<int64_t>(set.samples.size()) + 1;
    set.samples.push_back(std::move(result.sample));
  }
  require_boxes(set, left_out);
  return set;
}

DetectionFormat detection_format_from_name(const std::string& name) {
  if (name == "voc") return DetectionFormat::kVoc;
  if (name == "coco") return DetectionFormat::kCoco;
  GHOST_CHECK(name == "yolo", "the format of a detection data set is voc, coco or yolo, got '", name, "'");
  return DetectionFormat::kYolo;
}

}  // namespace ghost
