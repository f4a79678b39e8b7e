#include "data/detection_write.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "core/error.h"
#include "core/parallel.h"
#include "data/detection_form.h"
#include "data/file_bytes.h"
#include "data/new_folder.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

void write_text(const fs::path& path, const std::string& text) {
  write_file(path.string(), {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

// File names in one folder of pictures: labels go by the name without extension, so that is what must differ.
class FileNames {
 public:
  // The name and whether it is new; a picture that is there already keeps its name.
  std::pair<std::string, bool> add(const std::string& path) {
    const auto known = names_.find(path);
    if (known != names_.end()) return {known->second, false};
    const fs::path file = fs::path(path).filename();
    std::string stem = file.stem().string();
    for (int64_t number = 2; !stems_.insert(stem).second; ++number) stem = str(file.stem().string(), "_", number);
    return {names_[path] = stem + file.extension().string(), true};
  }

 private:
  std::map<std::string, std::string> names_;
  std::set<std::string> stems_;
};

void copy_picture(const std::string& from, const fs::path& to, bool link) {
  std::error_code error;
  if (link) {
    fs::create_hard_link(fs::canonical(from, error), to, error);
    if (!error) return;
  }
  error.clear();
  thread_local std::vector<uint8_t> bytes;
  read_file(from, bytes);
  write_file(to.string(), bytes);
}

std::string stem_of(const std::string& file) { return fs::path(file).stem().string(); }

class Writer {
 public:
  Writer(const DetectionWriteOptions& options, const fs::path& folder) : options_(options), folder_(folder) {}

  // Names the split's pictures, writes those that are new and the labels.
  void write(const DetectionSplit& split) {
    std::vector<NamedSample> pictures;
    std::vector<bool> fresh;
    FileNames& names = options_.format == DetectionFormat::kVoc ? names_[""] : names_[split.name];
    for (const DetectionSample& sample : split.set->samples) {
      const auto [file, added] = names.add(sample.path);
      pictures.push_back({&sample, file});
      fresh.push_back(added);
    }
    const fs::path folder = picture_folder(split.name);
    make_folder(folder);
    make_label_folders(split.name);
    parallel_for(static_cast<int64_t>(pictures.size()), [&](int64_t i) {
      const NamedSample& picture = pictures[static_cast<size_t>(i)];
      if (!fresh[static_cast<size_t>(i)]) return;
      copy_picture(picture.sample->path, folder / picture.file, options_.link_pictures);
      if (options_.format == DetectionFormat::kVoc)
        write_text(folder_ / "Annotations" / (stem_of(picture.file) + ".xml"), voc_text(picture, split.set->classes));
      if (options_.format == DetectionFormat::kYolo)
        write_text(folder_ / "labels" / split.name / (stem_of(picture.file) + ".txt"), yolo_text(*picture.sample));
    });
    if (options_.format == DetectionFormat::kCoco)
      write_text(folder_ / "annotations" / ("instances_" + split.name + ".json"),
                 coco_text(pictures, split.set->classes));
    if (options_.format == DetectionFormat::kVoc) {
      std::string list;
      for (const NamedSample& picture : pictures) list += stem_of(picture.file) + "\n";
      write_text(folder_ / "ImageSets" / "Main" / (split.name + ".txt"), list);
    }
  }

 private:
  fs::path picture_folder(const std::string& split) const {
    return options_.format == DetectionFormat::kVoc ? folder_ / "JPEGImages" : folder_ / "images" / split;
  }
  void make_label_folders(const std::string& split) const {
    switch (options_.format) {
      case DetectionFormat::kVoc:
        make_folder(folder_ / "Annotations");
        return make_folder(folder_ / "ImageSets" / "Main");
      case DetectionFormat::kCoco: return make_folder(folder_ / "annotations");
      case DetectionFormat::kYolo: return make_folder(folder_ / "labels" / split);
    }
  }

  const DetectionWriteOptions& options_;
  const fs::path& folder_;
  std::map<std::string, FileNames> names_;  // by folder
};

void check_splits(const std::vector<DetectionSplit>& splits) {
  GHOST_CHECK(!splits.empty(), "nothing to write: no split is given");
  std::set<std::string> seen{"path", "names"};  // data.yaml's own keys
  for (const DetectionSplit& split : splits) {
    const bool fine = !split.name.empty() && std::all_of(split.name.begin(), split.name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
    GHOST_CHECK(fine && seen.insert(split.name).second,
                "a split's name is letters, digits, '_' and '-', and no other's; got '", split.name, "'");
    GHOST_CHECK(split.set->classes == splits[0].set->classes, "'", split.set->source, "' has other classes than '",
                splits[0].set->source, "'; give both the same class file");
  }
}

DetectionWriteResult count(const std::vector<DetectionSplit>& splits, DetectionFormat format) {
  DetectionWriteResult result;
  int64_t difficult = 0, crowd = 0, areas = 0, ids = 0;
  for (const DetectionSplit& split : splits) {
    int64_t number = 0;
    for (const DetectionSample& sample : split.set->samples) {
      ++result.pictures;
      ids += sample.id != ++number;
      for (const BoxLabel& label : sample.boxes) {
        if (format == DetectionFormat::kYolo && (label.crowd || label.difficult)) {
          ++(label.crowd ? crowd : difficult);
          continue;
        }
        ++result.boxes;
        difficult += label.difficult;
        crowd += label.crowd;
        areas += label.area != label.box.area();
      }
    }
  }
  const auto note = [&](int64_t number, const std::string& what) {
    if (number > 0) result.lost.push_back(str(number, " ", what));
  };
  switch (format) {
    case DetectionFormat::kVoc:
      note(crowd, "crowd boxes are marked difficult and <crowd>: other programs see the first alone");
      note(areas, "areas of outlines are in <area>, which other programs pass over");
      break;
    case DetectionFormat::kCoco:
      note(difficult, "difficult boxes are marked \"difficult\", which other programs pass over");
      break;
    case DetectionFormat::kYolo:
      note(difficult, "difficult boxes left out: YOLO has no mark for them");
      note(crowd, "crowd boxes left out: YOLO has no mark for them");
      note(areas, "areas of outlines left out: YOLO has boxes only");
      break;
  }
  if (format != DetectionFormat::kCoco) note(ids, "image ids left out: only COCO has them");
  return result;
}

}  // namespace

DetectionWriteResult write_detection_sets(const std::vector<DetectionSplit>& splits,
                                          const DetectionWriteOptions& options) {
  check_splits(splits);
  NewFolder folder(options.destination);
  Writer writer(options, folder.partial());
  std::vector<std::string> names;
  for (const DetectionSplit& split : splits) {
    writer.write(split);
    names.push_back(split.name);
  }
  const std::vector<std::string>& classes = splits[0].set->classes;
  if (options.format == DetectionFormat::kYolo) write_text(folder.partial() / "data.yaml", yolo_yaml(names, classes));
  if (options.format == DetectionFormat::kVoc) {
    std::string table;
    for (const std::string& name : classes) table += name + "\n";
    write_text(folder.partial() / "classes.txt", table);
  }
  folder.commit();
  return count(splits, options.format);
}

}  // namespace ghost
