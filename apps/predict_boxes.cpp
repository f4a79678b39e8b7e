#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <sstream>
#include <system_error>

#include "apps/predict.h"
#include "data/draw_boxes.h"
#include "data/image_write.h"
#include "train/detect_data.h"
#include "train/detect_predict.h"
#include "train/heat_map.h"
#include "train/log.h"
#include "train/predict.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

Image cut_out(const Image& image, const Box& box) {
  const int left = static_cast<int>(box.left), top = static_cast<int>(box.top);
  const int right = std::min(image.width, static_cast<int>(std::ceil(box.right)));
  const int bottom = std::min(image.height, static_cast<int>(std::ceil(box.bottom)));
  Image part(std::max(1, right - left), std::max(1, bottom - top));
  for (int y = 0; y < part.height; ++y)
    std::copy_n(image.at(std::min(left, image.width - 1), std::min(top + y, image.height - 1)), part.width * 3,
                part.row(y));
  return part;
}

class Results {
 public:
  Results(const PredictOptions& options, const std::vector<std::string>& classes, const std::vector<std::string>& paths)
      : options_(options), classes_(classes), names_(result_names(paths)) {
    if (options.out.empty()) return;
    fs::create_directories(options.out);
    if (options.crop) fs::create_directories(options.out + "/crops");
    if (options.heat_map) fs::create_directories(options.out + "/heat_maps");
  }

  // On several threads: each picture has names of its own.
  void visit(const PictureVisit& visit) const {
    if (options_.out.empty()) return;
    const std::string& name = names_[static_cast<size_t>(visit.found.id - 1)];
    if (!options_.no_pictures) {
      write_image(fmt::format("{}/{}.jpg", options_.out, name), drawn(visit));
    }
    if (options_.heat_map)
      write_image(fmt::format("{}/heat_maps/{}.jpg", options_.out, name),
                  heat_map(visit.image, visit.maps, static_cast<int64_t>(classes_.size()), visit.place));
    for (size_t i = 0; options_.crop && i < visit.found.boxes.size(); ++i) {
      const ScoredBox& box = visit.found.boxes[i];
      write_image(fmt::format("{}/crops/{}-{}-{}.jpg", options_.out, name, i + 1,
                              file_name_of(classes_[static_cast<size_t>(box.label)])),
                  cut_out(visit.image, box.box));
    }
  }

 private:
  Image drawn(const PictureVisit& visit) const {
    Image image = visit.image;
    const std::vector<ScoredBox>& boxes = visit.found.boxes;
    for (auto box = boxes.rbegin(); box != boxes.rend(); ++box)  // the best on top
      draw_box(image, box->box, fmt::format("{} {:.2f}", classes_[static_cast<size_t>(box->label)], box->score),
               class_color(box->label));
    return image;
  }

  static std::string file_name_of(std::string text) {
    for (char& c : text)
      if (c == '/' || static_cast<unsigned char>(c) < 32) c = '_';
    return text;
  }

  const PredictOptions& options_;
  const std::vector<std::string>& classes_;
  const std::vector<std::string> names_;  // by place in the call
};

std::vector<DetectionOutput> outputs_of(const std::string& names) {
  std::vector<DetectionOutput> outputs;
  std::istringstream list(names);
  for (std::string name; std::getline(list, name, ',');) outputs.push_back(detection_output_from_name(name));
  return outputs;
}

std::string line_of(const DetectedPicture& found, const std::vector<std::string>& classes) {
  std::map<std::string, int64_t> counts;
  for (const ScoredBox& box : found.boxes) ++counts[classes[static_cast<size_t>(box.label)]];
  std::string text = found.path + ":" + (counts.empty() ? "  nothing" : "");
  for (const auto& [name, number] : counts) text += fmt::format("  {} {}", number, name);
  return text;
}

// A drawn picture has the name of the one it is drawn on.
void require_other_folder(const std::string& out, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    std::error_code not_there;
    GHOST_CHECK(!std::filesystem::equivalent(parent.empty() ? "." : parent, out, not_there), "predict: --out ", out,
                " is the folder of '", path, "', which the drawn picture would replace; name another folder");
  }
}

}  // namespace

int predict_boxes(const PredictOptions& options) {
  const Device device = apply(options.device);
  GHOST_CHECK(!options.out.empty() || !(options.crop || options.heat_map), "--crop and --heat-map need --out FOLDER");
  const std::vector<DetectionOutput> outputs = outputs_of(options.format);
  const std::vector<std::string> paths = expand_inputs(options.inputs);
  if (!options.out.empty()) require_other_folder(options.out, paths);
  const LoadedDetector loaded = load_detector(options.weights, device);
  const std::vector<std::string>& classes = loaded.card.classes;
  DecodeBoxesOptions decode = decode_options_of({options.score, options.iou, options.max_boxes}, loaded.card);
  decode.multi_label = false;

  const Results results(options, classes, paths);
  const auto start = std::chrono::steady_clock::now();
  const std::vector<DetectedPicture> found = detect_pictures(*loaded.model, loaded.card, device, paths, decode,
                                                             options.batch_size > 0 ? options.batch_size : 8,
                                                             [&](const PictureVisit& visit) { results.visit(visit); });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  Log log;
  std::map<std::string, int64_t> counts;
  int64_t failed = 0;
  for (const DetectedPicture& picture : found) {
    failed += !picture.error.empty();
    if (!picture.error.empty()) log.warn(picture.error);
    for (const ScoredBox& box : picture.boxes) ++counts[classes[static_cast<size_t>(box.label)]];
    if (picture.error.empty() && !options.count) log.line(line_of(picture, classes));
  }
  if (options.count)
    for (const auto& [name, number] : counts) log.line(fmt::format("{:>8}  {}", number, name));
  if (!options.out.empty())
    for (const DetectionOutput output : outputs)
      write_detections(options.out, output, found, classes, {.category_ids = {}, .classes = classes});
  log.line(fmt::format("{} pictures, {:.0f} images/s with reading and drawing{}", found.size(),
                       static_cast<double>(found.size()) / seconds,
                       options.out.empty() ? "" : ", written to " + options.out));
  return failed ? static_cast<int>(ErrorKind::kData) : 0;
}

}  // namespace ghost
