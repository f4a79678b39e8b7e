#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/yolo_candidates.h"
#include "tests/simt/compare.h"
#include "tests/simt/expect_found.h"

namespace ghost {
namespace {

using simt::Found;

// A candidate as a detector decodes it; its place is that in the list.
struct Centred {
  float x, y, w, h;
  int64_t label;
  float score;
};
using Picture = std::vector<Centred>;

YoloCandidate candidate_of(const Centred& c, int64_t place) {
  const double x = c.x, y = c.y, w = c.w / 2.0, h = c.h / 2.0;
  return {{x - w, y - h, x + w, y + h}, c.score, place, c.label};
}

cpu::YoloCandidates for_cpu(const std::vector<Picture>& pictures) {
  cpu::YoloCandidates result(pictures.size());
  for (size_t i = 0; i < pictures.size(); ++i)
    for (size_t place = 0; place < pictures[i].size(); ++place)
      result[i].push_back(candidate_of(pictures[i][place], static_cast<int64_t>(place)));
  return result;
}

// The rows of a picture in an order of their own, as the kernel that appends them leaves them.
simt::YoloCandidates for_kernels(const std::vector<Picture>& pictures, int64_t classes) {
  std::vector<int64_t> keys;
  std::vector<float> boxes;
  std::vector<int32_t> first_row{0};
  size_t largest = 0;
  for (const Picture& picture : pictures) {
    const size_t count = picture.size();
    for (size_t i = 0, step = count % 7 == 0 ? 1 : 7; i < count; ++i) {
      const size_t place = i * step % count;
      const Centred& c = picture[place];
      keys.push_back(simt::yolo_candidate_key(c.score, static_cast<int64_t>(place) * classes + c.label));
      boxes.insert(boxes.end(), {c.x, c.y, c.w, c.h});
    }
    first_row.push_back(static_cast<int32_t>(keys.size()));
    largest = std::max(largest, count);
  }
  const auto rows = static_cast<int64_t>(keys.size()), ends = static_cast<int64_t>(first_row.size());
  return {Tensor::from(keys, {rows}), Tensor::from(boxes, {rows, 4}), Tensor::from(first_row, {ends}),
          static_cast<int64_t>(largest)};
}

struct Limits {
  int64_t classes = 3;
  double iou = 0.5;
  int64_t most = 100;
};

// What the CPU keeps, after a look that the kernels keep the same to the bit.
Found check(const std::vector<Picture>& pictures, const Limits& limits) {
  const DecodeBoxesOptions options{
      .anchors = {}, .num_classes = limits.classes, .iou_threshold = limits.iou, .max_detections = limits.most};
  const Found want = cpu::suppress_boxes(for_cpu(pictures), options);
  const simt::YoloCandidates candidates = for_kernels(pictures, limits.classes);
  simt::for_each_order([&] { simt::expect_same(simt::suppress_boxes(candidates, options), want); });
  return want;
}

struct Crowd {
  int64_t count, classes = 3;
  float side = 60;  // of the square that the boxes' centres lie in
  int levels = 0;   // scores that occur; 0: any
};

Picture crowd_of(const Crowd& crowd, uint64_t seed) {
  Rng rng(seed, 77);
  Picture picture;
  for (int64_t i = 0; i < crowd.count; ++i) {
    const float x = rng.uniform(0, crowd.side), y = rng.uniform(0, crowd.side);
    const float w = rng.uniform(3, 17), h = rng.uniform(3, 17), score = rng.uniform(0, 1);
    const auto levels = static_cast<float>(crowd.levels);
    picture.push_back({x, y, w, h, static_cast<int64_t>(rng.uniform(0, static_cast<float>(crowd.classes))),
                       crowd.levels == 0 ? score : std::floor(score * levels) / levels});
  }
  return picture;
}

TEST(YoloSuppressSimt, NoneAndOne) {
  EXPECT_TRUE(check({{}}, {})[0].empty());
  EXPECT_EQ(check({{}, {}, {}}, {}).size(), 3u);
  EXPECT_EQ(check({{{5, 6, 3, 2, 2, 0.25f}}}, {})[0].size(), 1u);
  EXPECT_EQ(check({{{5, 6, 3, 2, 0, 1.0f}, {5, 6, 3, 2, 1, 0.0f}}}, {})[0].size(), 2u);
}

TEST(YoloSuppressSimt, OnlyRivalsOfTheSameClassFall) {
  Picture picture;
  for (int64_t i = 0; i < 40; ++i) picture.push_back({10, 10, 8, 8, i % 20, 0.5f});
  const Found found = check({picture}, {.classes = 20});
  ASSERT_EQ(found[0].size(), 20u);
  for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(found[0][static_cast<size_t>(i)].label, i);
}

// Best and second overlap, second and third too: the third stays, because the second is gone. Also where a tile ends
// between them.
TEST(YoloSuppressSimt, WhatFellSuppressesNothing) {
  for (const int before : {0, 62, 63, 64, 300}) {
    SCOPED_TRACE(before);
    Picture picture{{104, 0, 10, 10, 0, 0.2f}, {102, 0, 10, 10, 0, 0.3f}, {100, 0, 10, 10, 0, 0.4f}};
    for (int i = 0; i < before; ++i) picture.push_back({static_cast<float>(-20 * i), 0, 4, 4, 0, 0.5f});
    const Found found = check({picture}, {.iou = 0.6, .most = 1000});
    ASSERT_EQ(found[0].size(), static_cast<size_t>(before) + 2);
    EXPECT_EQ(found[0].back().score, 0.2f);
  }
}

TEST(YoloSuppressSimt, EqualScoresStandByPlace) {
  for (const int levels : {1, 2, 5})
    for (const int64_t count : {3, 65, 700})
      EXPECT_FALSE(check({crowd_of({.count = count, .levels = levels}, 3)}, {.most = 200})[0].empty());
}

// Sides of whole numbers: many pairs overlap by just 1/3, 1/2 and so on. They stay.
TEST(YoloSuppressSimt, BoxesAtTheThreshold) {
  EXPECT_EQ(check({{{1, 0.5f, 2, 1, 0, 0.9f}, {0.5f, 0.5f, 1, 1, 0, 0.8f}}}, {.iou = 0.5})[0].size(), 2u);
  EXPECT_EQ(check({{{1, 0.5f, 2, 1, 0, 0.9f}, {0.5f, 0.5f, 1, 1, 0, 0.8f}}}, {.iou = 0.4999999})[0].size(), 1u);
  std::vector<Picture> pictures{crowd_of({.count = 150, .classes = 1}, 5), crowd_of({.count = 90, .classes = 1}, 6)};
  for (Picture& picture : pictures)
    for (Centred& c : picture) {
      c.w = std::floor(c.w / 6) + 1;
      c.h = std::floor(c.h / 6) + 1;
      c.x = std::floor(c.x / 10) + c.w / 2;
      c.y = std::floor(c.y / 10) + c.h / 2;
    }
  for (const double iou : {0.0, 1.0 / 6, 1.0 / 5, 1.0 / 4, 1.0 / 3, 1.0 / 2, 2.0 / 3, 1.0})
    check(pictures, {.classes = 1, .iou = iou});
}

double overlap(const Box& a, const Box& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (!(width > 0 && height > 0)) return 0;
  const double shared = __dmul_rn(width, height);
  return shared /
         (__dmul_rn(a.right - a.left, a.bottom - a.top) + __dmul_rn(b.right - b.left, b.bottom - b.top) - shared);
}

// Pairs with the threshold at their overlap and right below it: a rounding that differs shows. Boxes that differ by
// little from one at 0 share a width and height of more digits than their product can hold.
TEST(YoloSuppressSimt, TheLastBitOfTheOverlapDecides) {
  for (const float side : {6.0f, 1e-2f, 1e-9f}) {
    Picture crowd = crowd_of({.count = 48, .classes = 1, .side = side}, 9);
    for (Centred& c : crowd) {
      if (side > 1) continue;
      c.w = 8 + c.w * side / 17;
      c.h = 8 + c.h * side / 17;
    }
    int overlapping = 0;
    for (size_t i = 0; i + 1 < crowd.size(); i += 2) {
      const Picture pair{crowd[i], crowd[i + 1]};
      const double iou = overlap(candidate_of(pair[0], 0).box, candidate_of(pair[1], 1).box);
      if (iou == 0) continue;
      EXPECT_EQ(check({pair}, {.classes = 1, .iou = iou})[0].size(), 2u);
      EXPECT_EQ(check({pair}, {.classes = 1, .iou = std::nextafter(iou, 0.0)})[0].size(), 1u);
      ++overlapping;
    }
    EXPECT_GE(overlapping, 15);
  }
}

TEST(YoloSuppressSimt, MoreThanMaxDetections) {
  const Picture crowd = crowd_of({.count = 400, .side = 300}, 11);
  for (const int64_t most : {1, 2, 63, 64, 65, 128, 200})
    EXPECT_EQ(check({crowd}, {.most = most})[0].size(), static_cast<size_t>(most));
}

// Counts around those of a tile (64) and of a run (256), runs of which the last has no partner.
TEST(YoloSuppressSimt, AnyCount) {
  for (const int64_t count : {2, 63, 64, 65, 255, 256, 257, 512, 513, 769, 1300}) {
    const Found found = check({crowd_of({.count = count}, 13)}, {.iou = 0.4, .most = 1000});
    EXPECT_LE(found[0].size(), static_cast<size_t>(count));
    if (count >= 255) {
      EXPECT_GE(found[0].size(), 64u);
      EXPECT_LT(found[0].size(), static_cast<size_t>(count) - 20);
    }
  }
}

TEST(YoloSuppressSimt, PicturesOfABatch) {
  const std::vector<Picture> pictures{{},
                                      crowd_of({.count = 300, .classes = 70}, 17),
                                      {},
                                      crowd_of({.count = 1, .classes = 70}, 19),
                                      crowd_of({.count = 900, .classes = 2}, 21),
                                      crowd_of({.count = 64, .classes = 70, .levels = 3}, 23),
                                      {}};
  for (const int64_t most : {7, 150, 5000}) {
    const Found found = check(pictures, {.classes = 70, .iou = 0.3, .most = most});
    ASSERT_EQ(found.size(), 7u);
    EXPECT_TRUE(found[0].empty() && found[2].empty() && found[6].empty());
    EXPECT_EQ(found[3].size(), 1u);
    EXPECT_FALSE(found[1].empty() || found[4].empty() || found[5].empty());
  }
}

// The best of them lie at 50 spots, the last that is looked at and those behind it apart.
TEST(YoloSuppressSimt, MoreCandidatesThanAreLookedAt) {
  const int64_t count = kYoloCandidates + 100;
  Picture picture;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t rank = i * 7919 % count, spot = rank < kYoloCandidates - 1 ? rank % 50 : rank;
    picture.push_back({static_cast<float>(spot), 0, 0.5f, 1, 0, 1 - static_cast<float>(rank) / 40000});
  }
  const DecodeBoxesOptions options{.anchors = {}, .num_classes = 1, .max_detections = 1000};
  const Found want = cpu::suppress_boxes(for_cpu({picture}), options);
  ASSERT_EQ(want[0].size(), 51u);
  simt::expect_same(simt::suppress_boxes(for_kernels({picture}, 1), options), want);
}

}  // namespace
}  // namespace ghost
