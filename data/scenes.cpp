#include "data/scenes.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/parallel.h"
#include "core/random.h"
#include "data/detection_write.h"
#include "data/file_bytes.h"
#include "data/image_write.h"
#include "data/new_folder.h"
#include "data/scene_canvas.h"
#include "data/streams.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kMarker = "scenes.json";  // in DST: what the scenes were made with
constexpr int kSide = 28;                       // of a piece
constexpr int kTries = 40;                      // to find room for an object
constexpr int kMostTries = 10000;               // to find a piece that can be seen
constexpr double kMostCovered = 1.0 / 6;        // of the smaller of two boxes
constexpr double kMinBox = 6;                   // pixels: a piece with less to see is not taken
constexpr int kJpegQuality = 92;

// Which of the four tops or the three shoes a piece is, classifiers get wrong one time in ten, far larger ones too: a
// detector's score would be theirs.
constexpr std::array<const char*, 5> kKinds{"top", "trouser", "dress", "shoe", "bag"};
constexpr std::array<size_t, kFashionClasses.size()> kKindOf{0, 1, 0, 2, 0, 3, 0, 3, 4, 3};

struct PlacedPiece {
  std::span<const uint8_t> values;
  int left = 0, top = 0, width = 0;
  bool mirror = false;
  BoxLabel label;
};

bool has_room(const std::vector<PlacedPiece>& placed, const Box& box) {
  return std::all_of(placed.begin(), placed.end(), [&](const PlacedPiece& other) {
    const Box shared = intersect(box, other.label.box);
    return shared.area() <= kMostCovered * std::min(box.area(), other.label.box.area());
  });
}

// One try; false when the drawn place is taken or the piece has nothing to see.
bool draw_place(const FashionSplit& fashion, const std::vector<std::vector<int64_t>>& by_class,
                const SceneOptions& options, Rng& rng, std::vector<PlacedPiece>& placed) {
  PlacedPiece piece;
  const auto label = static_cast<size_t>(rng.below(static_cast<int64_t>(by_class.size())));
  const std::vector<int64_t>& pieces = by_class[label];
  const int64_t number = pieces[static_cast<size_t>(rng.below(static_cast<int64_t>(pieces.size())))];
  piece.values = {fashion.images.values.data() + number * kSide * kSide, kSide * kSide};
  const float scale = rng.uniform(static_cast<float>(options.min_scale), static_cast<float>(options.max_scale));
  piece.width = std::clamp(static_cast<int>(scale * static_cast<float>(options.size)), 1, options.size);
  piece.left = static_cast<int>(rng.below(options.size - piece.width + 1));
  piece.top = static_cast<int>(rng.below(options.size - piece.width + 1));
  piece.mirror = rng.chance(0.5F);
  const Box box = piece_box(piece.values, kSide, piece.left, piece.top, piece.width, piece.mirror);
  if (std::min(box.width(), box.height()) < kMinBox || !has_room(placed, box)) return false;
  piece.label = {box, static_cast<int64_t>(label), false, false, box.area()};
  placed.push_back(piece);
  return true;
}

void check_options(const ScenesOptions& options) {
  const SceneOptions& scene = options.scene;
  GHOST_CHECK(options.train >= 1 && options.val >= 1, "each split has at least one scene, got ", options.train, " and ",
              options.val);
  GHOST_CHECK(scene.size >= 32 && scene.size <= 4096, "the scenes' size is 32 to 4096, got ", scene.size);
  GHOST_CHECK(scene.min_objects >= 1 && scene.min_objects <= scene.max_objects,
              "objects in a scene: at least 1 and not more than the most, got ", scene.min_objects, " to ",
              scene.max_objects);
  GHOST_CHECK(scene.min_scale > 0 && scene.min_scale <= scene.max_scale && scene.max_scale <= 1 &&
                  scene.max_scale * scene.size >= 2 * kMinBox,
              "an object's side is a part of the scene's, 0 to 1, and large enough to be seen, got ", scene.min_scale,
              " to ", scene.max_scale);
}

json marker_of(const ScenesOptions& options) {
  const SceneOptions& scene = options.scene;
  return {{"train", options.train},
          {"val", options.val},
          {"size", scene.size},
          {"min_objects", scene.min_objects},
          {"max_objects", scene.max_objects},
          {"min_scale", scene.min_scale},
          {"max_scale", scene.max_scale},
          {"ten_classes", scene.ten_classes},
          {"seed", scene.seed}};
}

// Whether the same scenes are there; `result` then gets their boxes.
bool made_before(const ScenesOptions& options, ScenesResult& result) {
  const fs::path marker = fs::path(options.destination) / kMarker;
  std::error_code error;
  if (!fs::exists(marker, error)) return false;
  std::vector<uint8_t> bytes;
  read_file(marker.string(), bytes);
  const json found = json::parse(bytes, nullptr, false);
  GHOST_CHECK_AS(kData, found.is_object() && found.value("options", json()) == marker_of(options), "'",
                 options.destination, "' holds scenes made with other options. Remove it or name another folder");
  result = {found.value("train_boxes", int64_t{0}), found.value("val_boxes", int64_t{0}), true};
  return true;
}

DetectionSet draw_split(const FashionSplit& fashion, const SceneOptions& options, uint64_t split, int64_t count,
                        const fs::path& folder) {
  make_folder(folder);
  const std::vector<std::vector<int64_t>> by_class = pieces_by_class(fashion, options.ten_classes);
  DetectionSet set;
  set.source = folder.string();
  if (options.ten_classes)
    set.classes.assign(kFashionClasses.begin(), kFashionClasses.end());
  else
    set.classes.assign(kKinds.begin(), kKinds.end());
  set.samples.resize(static_cast<size_t>(count));
  parallel_for(count, [&](int64_t i) {
    DetectionSample& sample = set.samples[static_cast<size_t>(i)];
    const Image image = draw_scene(fashion, by_class, options, split, i, sample);
    char name[32];
    std::snprintf(name, sizeof(name), "%s_%06lld.jpg", split == 0 ? "train" : "val", static_cast<long long>(i + 1));
    sample.path = (folder / name).string();
    write_file(sample.path, encode_jpeg(image, kJpegQuality));
  });
  return set;
}

int64_t count_boxes(const DetectionSet& set) {
  int64_t count = 0;
  for (const DetectionSample& sample : set.samples) count += static_cast<int64_t>(sample.boxes.size());
  return count;
}

}  // namespace

std::vector<std::vector<int64_t>> pieces_by_class(const FashionSplit& fashion, bool ten_classes) {
  std::vector<std::vector<int64_t>> by_class(ten_classes ? kFashionClasses.size() : kKinds.size());
  for (const int64_t picture : fashion.picked) {
    const size_t label = fashion.labels.values[static_cast<size_t>(picture)];
    by_class[ten_classes ? label : kKindOf.at(label)].push_back(picture);
  }
  for (size_t i = 0; i < by_class.size(); ++i)
    GHOST_CHECK_AS(kData, !by_class[i].empty(), "Fashion-MNIST's files have no picture of class ", i);
  return by_class;
}

Image draw_scene(const FashionSplit& fashion, const std::vector<std::vector<int64_t>>& by_class,
                 const SceneOptions& options, uint64_t split, int64_t index, DetectionSample& sample) {
  Rng rng(options.seed, stream_id(kSceneStream, split, static_cast<uint64_t>(index)));
  Image image(options.size, options.size);
  draw_canvas(image, rng);
  const int64_t wanted = options.min_objects + rng.below(options.max_objects - options.min_objects + 1);
  std::vector<PlacedPiece> placed;
  for (int64_t object = 0; object < wanted; ++object) {
    bool done = false;  // the first always finds room, so it is tried until its piece can be seen
    for (int i = 0; !done && i < (placed.empty() ? kMostTries : kTries); ++i)
      done = draw_place(fashion, by_class, options, rng, placed);
  }
  GHOST_CHECK(!placed.empty(), "objects of ", options.min_scale, " to ", options.max_scale, " of a scene of ",
              options.size, " pixels are too small to be seen; make them or the scene larger");
  sample = {"", options.size, options.size, index + 1, {}};
  for (const PlacedPiece& piece : placed) {
    Shade color{};
    for (float& level : color) level = rng.uniform(190, 255);
    draw_piece(image, piece.values, kSide, piece.left, piece.top, piece.width, piece.mirror, color);
    sample.boxes.push_back(piece.label);
  }
  return image;
}

ScenesResult make_scenes(const ScenesOptions& options) {
  check_options(options);
  ScenesResult result;
  if (made_before(options, result)) return result;
  const FashionSplit train = read_fashion_split(options.source, "train");
  const FashionSplit val = read_fashion_split(options.source, "t10k");
  NewFolder folder(options.destination);
  const fs::path pictures = folder.partial() / "pictures";
  const DetectionSet train_set = draw_split(train, options.scene, 0, options.train, pictures / "train");
  const DetectionSet val_set = draw_split(val, options.scene, 1, options.val, pictures / "val");
  const std::pair<const char*, DetectionFormat> forms[]{
      {"voc", DetectionFormat::kVoc}, {"coco", DetectionFormat::kCoco}, {"yolo", DetectionFormat::kYolo}};
  for (const auto& [name, format] : forms)
    write_detection_sets({{"train", &train_set}, {"val", &val_set}},
                         {format, (folder.partial() / name).string(), true});
  std::error_code error;
  fs::remove_all(pictures, error);
  result = {count_boxes(train_set), count_boxes(val_set), false};
  const json marker{
      {"options", marker_of(options)}, {"train_boxes", result.train_boxes}, {"val_boxes", result.val_boxes}};
  const std::string text = marker.dump(2) + "\n";
  write_file((folder.partial() / kMarker).string(), {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  folder.commit();
  return result;
}

}  // namespace ghost
