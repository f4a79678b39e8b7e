#include "data/detection_loader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "data/draw.h"
#include "data/image_write.h"
#include "tests/support/temp_folder.h"

namespace ghost {
namespace {

constexpr Color kRed{230, 20, 20}, kBlue{20, 20, 230};

// Pictures of blue with one red rectangle each, of different sizes; every fourth has none.
DetectionSet make_set(const test::TempFolder& temp, int count) {
  DetectionSet set;
  set.source = temp.path();
  set.classes = {"red", "other"};
  set.counts = {0, 0};
  for (int i = 0; i < count; ++i) {
    DetectionSample sample{.path = temp.path(std::to_string(i) + ".png"),
                           .width = 90 + 7 * (i % 5),
                           .height = 70 + 5 * (i % 3),
                           .id = i + 1,
                           .boxes = {}};
    Image image(sample.width, sample.height);
    fill_rect(image, 0, 0, image.width, image.height, kBlue);
    if (i % 4 != 3) {
      const int left = 10 + 3 * (i % 6), top = 12 + 2 * (i % 7), right = left + 30, bottom = top + 24;
      fill_rect(image, left, top, right, bottom, kRed);
      const Box box{double(left), double(top), double(right), double(bottom)};
      sample.boxes.push_back({.box = box, .label = 0, .difficult = false, .crowd = false, .area = box.area()});
      ++set.counts[0];
    }
    write_image(sample.path, image);
    set.samples.push_back(std::move(sample));
  }
  return set;
}

Preprocess input(int size) {
  Preprocess preprocess;
  preprocess.size = size;
  return preprocess;
}

bool is_red(const uint8_t* rgb) { return rgb[0] > 150 && rgb[1] < 110 && rgb[2] < 110; }

// Every box frames red pixels up to its edges, and there is no red outside of all boxes.
void expect_boxes_frame_red(const DetectionBatch& batch, const Preprocess& preprocess, double min_box) {
  const int size = static_cast<int>(batch.images.dim(1));
  for (int64_t i = 0; i < batch.size(); ++i) {
    const Image image = denormalize(batch.images.data<float>() + i * size * size * 3, size, size, preprocess);
    const int64_t* const first = batch.first.data<int64_t>() + i;
    std::vector<Box> boxes;
    for (int64_t k = first[0]; k < first[1]; ++k) {
      const float* const b = batch.boxes.data<float>() + k * 4;
      boxes.push_back({b[0] - b[2] / 2, b[1] - b[3] / 2, b[0] + b[2] / 2, b[1] + b[3] / 2});
    }
    for (const Box& box : boxes) {
      ASSERT_GE(box.left, -1e-3);
      ASSERT_LE(box.right, size + 1e-3);
      int red = 0, all = 0;
      for (int y = static_cast<int>(box.top + 1); y < static_cast<int>(box.bottom - 1); ++y)
        for (int x = static_cast<int>(box.left + 1); x < static_cast<int>(box.right - 1); ++x, ++all)
          red += is_red(image.at(x, y));
      if (all > 0) {
        EXPECT_GE(red, 0.8 * all) << "picture " << i;
      }
    }
    const double margin = 2 + min_box;
    for (int y = 0; y < size; ++y)
      for (int x = 0; x < size; ++x) {
        if (!is_red(image.at(x, y))) continue;
        bool inside = false;
        for (const Box& box : boxes)
          inside |=
              x >= box.left - margin && x <= box.right + margin && y >= box.top - margin && y <= box.bottom + margin;
        // A sliver that was cut below min_box has no box.
        const bool at_edge = x < margin || y < margin || x >= size - margin || y >= size - margin;
        ASSERT_TRUE(inside || at_edge || min_box > 0) << "red without a box at " << x << ", " << y << " of " << i;
      }
  }
}

DetectionAugmentOptions geometry_only() {
  DetectionAugmentOptions options;
  options.hue = options.saturation = options.value = 0;
  options.mosaic = options.mixup = 0;
  options.min_box = 0;
  return options;
}

TEST(DetectionLoader, BoxesStayOnTheirObjects) {
  const Preprocess preprocess = input(96);
  for (const double mosaic : {0.0, 1.0}) {
    DetectionAugmentOptions augment = geometry_only();
    augment.mosaic = mosaic;
    const test::TempFolder temp;
    DetectionLoader loader(make_set(temp, 16), preprocess, true, {.batch_size = 8, .workers = 0}, augment);
    int64_t boxes = 0;
    for (int epoch = 0; epoch < 6; ++epoch) {
      loader.start_epoch(epoch);
      while (const DetectionBatch* batch = loader.next()) {
        expect_boxes_frame_red(*batch, preprocess, mosaic > 0 ? 1 : 0);
        boxes += batch->boxes.dim(0);
      }
    }
    EXPECT_GT(boxes, 40);
  }
}

TEST(DetectionLoader, EvaluationLetterboxesEveryPictureAndTellsTheWayBack) {
  const Preprocess preprocess = input(64);
  const test::TempFolder temp;
  const DetectionSet set = make_set(temp, 5);
  DetectionLoader loader(set, preprocess, true, {.batch_size = 2, .workers = 1, .drop_last = false});
  loader.start_epoch(0);
  int64_t seen = 0;
  while (const DetectionBatch* batch = loader.next()) {
    expect_boxes_frame_red(*batch, preprocess, 0);
    ASSERT_EQ(static_cast<int64_t>(batch->places.size()), batch->size());
    for (int64_t i = 0; i < batch->size(); ++i, ++seen) {
      const DetectionSample& sample = set.samples[static_cast<size_t>(batch->samples[i])];
      if (sample.boxes.empty()) continue;
      const float* const b = batch->boxes.data<float>() + 4 * batch->first.data<int64_t>()[i];
      const Box back =
          batch->places[i].to_picture({b[0] - b[2] / 2, b[1] - b[3] / 2, b[0] + b[2] / 2, b[1] + b[3] / 2});
      EXPECT_NEAR(back.left, sample.boxes[0].box.left, 1e-4);
      EXPECT_NEAR(back.bottom, sample.boxes[0].box.bottom, 1e-4);
    }
  }
  EXPECT_EQ(seen, 5);
}

struct Copied {
  std::vector<double> images, boxes;
  std::vector<int64_t> samples;
  int64_t size = 0;
  bool operator==(const Copied&) const = default;
};

std::vector<Copied> batches(DetectionLoader& loader, int64_t epoch, int64_t first) {
  std::vector<Copied> all;
  loader.start_epoch(epoch, first);
  while (const DetectionBatch* batch = loader.next())
    all.push_back({batch->images.to_vector(), batch->boxes.to_vector(), batch->samples, batch->images.dim(1)});
  return all;
}

TEST(DetectionLoader, ThreadsAndAMidEpochStartChangeNothing) {
  const test::TempFolder temp;
  const DetectionSet set = make_set(temp, 14);
  DetectionAugmentOptions augment;
  augment.sizes = {32, 64, 96};
  std::vector<Copied> expected;
  for (const int workers : {0, 1, 3}) {
    DetectionLoader loader(set, input(64), true, {.batch_size = 4, .workers = workers, .cache_bytes = 1 << 20},
                           augment);
    const std::vector<Copied> whole = batches(loader, 2, 0);
    ASSERT_EQ(whole.size(), 3U);
    if (expected.empty()) expected = whole;
    EXPECT_TRUE(whole == expected) << workers << " workers";
    const std::vector<Copied> rest = batches(loader, 2, 8);
    ASSERT_EQ(rest.size(), 1U);
    EXPECT_TRUE(rest[0] == expected[2]);
  }
  bool other_size = false;
  for (const Copied& batch : expected) other_size |= batch.size != expected[0].size;
  DetectionLoader loader(set, input(64), true, {.batch_size = 4, .workers = 0}, augment);
  for (int epoch = 0; epoch < 5 && !other_size; ++epoch)
    for (const Copied& batch : batches(loader, epoch, 0)) other_size |= batch.size != expected[0].size;
  EXPECT_TRUE(other_size) << "multi-scale draws one size only";
}

TEST(DetectionLoader, BatchSizeAndAugmentationChangeWithTheNextEpoch) {
  const test::TempFolder temp;
  DetectionLoader loader(make_set(temp, 10), input(64), true, {.batch_size = 2, .workers = 1},
                         DetectionAugmentOptions{});
  loader.start_epoch(0);
  EXPECT_EQ(loader.next()->size(), 2);
  loader.set_batch_size(5);
  EXPECT_EQ(loader.next()->size(), 2);
  loader.start_epoch(1);
  EXPECT_EQ(loader.next()->size(), 5);
  EXPECT_EQ(loader.batches_per_epoch(), 2);
}

TEST(DetectionLoader, CorruptPicturesAreReplacedInTrainingAndLeftOutInEvaluation) {
  const test::TempFolder temp;
  DetectionSet set = make_set(temp, 6);
  std::ofstream(set.samples[2].path, std::ios::trunc) << "no picture";
  DetectionLoader training(set, input(64), true, {.batch_size = 3, .workers = 0}, geometry_only());
  int64_t shown = 0;
  training.start_epoch(0);
  while (const DetectionBatch* batch = training.next()) shown += batch->size();
  EXPECT_EQ(shown, 6);
  EXPECT_EQ(training.take_corrupt_messages().size(), 1U);
  DetectionLoader evaluation(set, input(64), true, {.batch_size = 3, .workers = 0, .drop_last = false});
  shown = 0;
  evaluation.start_epoch(0);
  while (const DetectionBatch* batch = evaluation.next()) {
    expect_boxes_frame_red(*batch, input(64), 0);
    shown += batch->size();
  }
  EXPECT_EQ(shown, 5);
  EXPECT_THROW(DetectionLoader(set, input(64), true, {.batch_size = 7}, geometry_only()), Error);
}

TEST(DetectionLoader, DifficultAndCrowdBoxesAreNotTrainedOn) {
  const test::TempFolder temp;
  DetectionSet set = make_set(temp, 4);
  for (DetectionSample& sample : set.samples)
    for (BoxLabel& box : sample.boxes) box.difficult = true;
  DetectionLoader loader(set, input(64), true, {.batch_size = 4, .workers = 0}, geometry_only());
  loader.start_epoch(0);
  const DetectionBatch* batch = loader.next();
  EXPECT_EQ(batch->boxes.shape(), Shape({0, 4}));
  EXPECT_EQ(batch->first.to_vector(), std::vector<double>(5, 0.0));
}

TEST(Letterbox, ThereAndBack) {
  for (const bool keep : {true, false})
    for (const auto& [w, h] : {std::pair{640, 480}, {1, 1}, {333, 1000}, {17, 3}}) {
      const Letterbox place = letterbox_place(w, h, 416, 416, keep);
      const Box box{0.25, 0.5, w - 0.5, h - 0.125}, there = place.to_input(box), back = place.to_picture(there);
      EXPECT_NEAR(back.left, box.left, 1e-9);
      EXPECT_NEAR(back.top, box.top, 1e-9);
      EXPECT_NEAR(back.right, box.right, 1e-9);
      EXPECT_NEAR(back.bottom, box.bottom, 1e-9);
      EXPECT_GE(there.left, 0);
      EXPECT_LE(there.bottom, 416);
    }
}

}  // namespace
}  // namespace ghost
