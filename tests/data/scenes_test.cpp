#include "data/scenes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/parallel.h"
#include "data/decode.h"
#include "data/image_folder.h"
#include "detection_files.h"
#include "exif_bytes.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Pieces that fill columns 6..20 and rows 4..24 with their class's grey; every eleventh is empty.
FashionSplit made_pieces(uint8_t count) {
  FashionSplit split;
  split.images.shape = {count, 28, 28};
  for (uint8_t i = 0; i < count; ++i) {
    const auto grey = static_cast<uint8_t>(i % 11 == 10 ? 0 : 150 + i % 10 * 10);
    for (int y = 0; y < 28; ++y)
      for (int x = 0; x < 28; ++x) split.images.values.push_back(x >= 6 && x < 21 && y >= 4 && y < 25 ? grey : 0);
    split.labels.values.push_back(i % 10);
    split.picked.push_back(i);
  }
  split.labels.shape = {count};
  return split;
}

void write_idx(const TempFolder& temp, const std::string& name, const IdxFile& idx) {
  std::vector<uint8_t> bytes;
  append_big32(bytes, 0x0800u + static_cast<uint32_t>(idx.shape.size()));
  for (const int64_t size : idx.shape) append_big32(bytes, static_cast<uint32_t>(size));
  bytes.insert(bytes.end(), idx.values.begin(), idx.values.end());
  temp.write("source/" + name, bytes);
}

TEST(Scenes, BoxesAreTightAndApart) {
  const FashionSplit fashion = made_pieces(60);
  const auto by_class = pieces_by_class(fashion, true);
  SceneOptions options;
  std::vector<int64_t> seen(static_cast<size_t>(options.max_objects) + 1), classes(10);
  for (int64_t index = 0; index < 80; ++index) {
    DetectionSample sample, again;
    const Image image = draw_scene(fashion, by_class, options, 0, index, sample);
    EXPECT_EQ(draw_scene(fashion, by_class, options, 0, index, again), image);
    ++seen.at(sample.boxes.size());
    for (const BoxLabel& label : sample.boxes) {
      ++classes.at(static_cast<size_t>(label.label));
      const Box& box = label.box;
      EXPECT_EQ(intersect(box, {0, 0, 160, 160}), box);
      EXPECT_NEAR(box.width() / box.height(), 15.0 / 21, 0.15);
      for (const BoxLabel& other : sample.boxes) {
        if (&other == &label) continue;
        EXPECT_LE(intersect(box, other.box).area(), std::min(box.area(), other.box.area()) / 6 + 1e-9);
      }
    }
  }
  for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i] > 1, static_cast<int>(i) >= options.min_objects) << i;
  for (const int64_t count : classes) EXPECT_GT(count, 8);
}

// A single object on a canvas drawn twice, with and without it: what differs is what the box holds.
TEST(Scenes, BoxHoldsWhatWasDrawn) {
  const FashionSplit fashion = made_pieces(10);
  const auto by_class = pieces_by_class(fashion, true);
  SceneOptions options;
  options.min_objects = options.max_objects = 1;
  for (int64_t index = 0; index < 20; ++index) {
    DetectionSample sample, other;
    const Image one = draw_scene(fashion, by_class, options, 0, index, sample);
    options.min_scale = options.max_scale = 0.08;  // the same canvas, a small object elsewhere
    const Image two = draw_scene(fashion, by_class, options, 0, index, other);
    options = {};
    options.min_objects = options.max_objects = 1;
    const Box &a = sample.boxes.at(0).box, &b = other.boxes.at(0).box;
    Box changed{1e9, 1e9, 0, 0};
    for (int y = 0; y < options.size; ++y)
      for (int x = 0; x < options.size; ++x)
        if (!std::equal(one.at(x, y), one.at(x, y) + 3, two.at(x, y)))
          changed = {std::min<double>(changed.left, x), std::min<double>(changed.top, y),
                     std::max<double>(changed.right, x + 1), std::max<double>(changed.bottom, y + 1)};
    EXPECT_EQ(changed, (Box{std::min(a.left, b.left), std::min(a.top, b.top), std::max(a.right, b.right),
                            std::max(a.bottom, b.bottom)}));
  }
}

TEST(Scenes, FiveKindsHoldTheTenClasses) {
  const FashionSplit fashion = made_pieces(20);
  const auto kinds = pieces_by_class(fashion, false);
  EXPECT_EQ(kinds, (std::vector<std::vector<int64_t>>{
                       {0, 2, 4, 6, 10, 12, 14, 16}, {1, 11}, {3, 13}, {5, 7, 9, 15, 17, 19}, {8, 18}}));
  const auto classes = pieces_by_class(fashion, true);
  ASSERT_EQ(classes.size(), 10u);
  EXPECT_EQ(classes[7], (std::vector<int64_t>{7, 17}));
}

TEST(Scenes, ThreeFormsOfTheSamePictures) {
  const TempFolder temp;
  for (const char* prefix : {"train", "t10k"}) {
    const FashionSplit pieces = made_pieces(40);
    write_idx(temp, std::string(prefix) + "-images-idx3-ubyte", pieces.images);
    write_idx(temp, std::string(prefix) + "-labels-idx1-ubyte", pieces.labels);
  }
  ScenesOptions options{temp.path("source"), temp.path("out"), 9, 4, {}};
  const ScenesResult made = make_scenes(options);
  EXPECT_FALSE(made.existed);
  EXPECT_TRUE(make_scenes(options).existed);
  EXPECT_EQ(make_scenes(options).val_boxes, made.val_boxes);
  EXPECT_FALSE(fs::exists(temp.path("out/pictures")));

  DetectionSetOptions voc = detection_options(DetectionFormat::kVoc, temp.path("out/voc/ImageSets/Main/train.txt"));
  voc.class_file = temp.path("out/voc/classes.txt");
  const DetectionSet first = open_detection_set(voc);
  EXPECT_EQ(first.samples.size(), 9u);
  EXPECT_EQ(first.classes, (std::vector<std::string>{"top", "trouser", "dress", "shoe", "bag"}));
  int64_t boxes = 0;
  for (const int64_t count : first.counts) boxes += count;
  EXPECT_EQ(boxes, made.train_boxes);
  for (const auto& [format, source] : {std::pair{DetectionFormat::kCoco, "out/coco/annotations/instances_train.json"},
                                       std::pair{DetectionFormat::kYolo, "out/yolo/data.yaml#train"}}) {
    const DetectionSet set = open_detection_set(detection_options(format, temp.path(source)));
    EXPECT_TRUE(set.problems.empty());
    EXPECT_EQ(set.classes, first.classes);
    EXPECT_EQ(set.counts, first.counts);
    for (size_t i = 0; i < 9; ++i)
      EXPECT_NEAR(set.samples.at(i).boxes.at(0).box.right, first.samples[i].boxes.at(0).box.right, 1e-9);
    EXPECT_EQ(read_image(set.samples[8].path), read_image(first.samples[8].path));
  }

  // Byte for byte the same again, with another number of threads; other options are refused and change the pictures.
  const int threads = compute_threads();
  set_compute_threads(threads == 1 ? 3 : 1);
  options.destination = temp.path("again");
  make_scenes(options);
  set_compute_threads(threads);
  for (const char* name : {"yolo/images/val/val_000004.jpg", "coco/annotations/instances_val.json"}) {
    std::vector<uint8_t> a, b;
    read_file(temp.path("out/" + std::string(name)), a);
    read_file(temp.path("again/" + std::string(name)), b);
    EXPECT_EQ(a, b) << name;
  }
  options.scene.seed = 1;
  EXPECT_THAT(error_message(ErrorKind::kData, [&] { make_scenes(options); }), HasSubstr("other options"));
  options.scene.ten_classes = true;
  EXPECT_THAT(error_message(ErrorKind::kData, [&] { make_scenes(options); }), HasSubstr("other options"));
  options.scene.max_objects = 0;
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { make_scenes(options); }), HasSubstr("3 to 0"));
}

}  // namespace
}  // namespace ghost
