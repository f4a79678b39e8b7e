// Made-up boxes by number, the same as make_case() in golden/coco/make_coco_golden.py makes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "train/detection_metrics.h"

namespace ghost {

struct DetectionCase {
  int64_t images = 0, classes = 0;
  std::vector<TruthBox> truth;
  std::vector<DetectedBox> detections;
};

// Knuth's MMIX generator; the upper bits.
class CaseRandom {
 public:
  explicit CaseRandom(uint64_t seed) : state_(seed) {}
  int64_t below(int64_t n) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int64_t>((state_ >> 33) % static_cast<uint64_t>(n));
  }
  // Quarters of a pixel.
  double quarters(int64_t n) { return static_cast<double>(below(n)) / 4; }
  double side() {
    constexpr std::array<int64_t, 3> kLongest{40, 110, 300};
    const int64_t longest = kLongest[static_cast<size_t>(below(3))];
    return 1 + quarters(4 * longest);
  }

 private:
  uint64_t state_;
};

// Left, top, width, height.
using CaseBox = std::array<double, 4>;
inline CaseBox random_case_box(CaseRandom& random) {
  CaseBox box{};
  for (size_t i = 0; i < 4; ++i) box[i] = i < 2 ? random.quarters(1600) : random.side();
  return box;
}
inline Box corners(const CaseBox& box) { return {box[0], box[1], box[0] + box[2], box[1] + box[3]}; }

inline DetectionCase make_detection_case(int64_t number) {
  CaseRandom random(static_cast<uint64_t>(number));
  for (int i = 0; i < 4; ++i) random.below(2);
  DetectionCase made;
  made.images = 1 + random.below(6);
  made.classes = 1 + random.below(4);
  const int64_t labels = made.classes - (number % 5 == 0 && made.classes > 1 ? 1 : 0);
  std::vector<CaseBox> boxes;
  for (int64_t image = 0; image < made.images; ++image) {
    for (int64_t left = random.below(8); left > 0; --left) {
      TruthBox truth;
      truth.image = image;
      truth.label = random.below(labels);
      boxes.push_back(random_case_box(random));
      truth.box = corners(boxes.back());
      truth.area = truth.box.area() * (random.below(3) == 0 ? 0.75 : 1);
      truth.crowd = random.below(8) == 0;
      made.truth.push_back(truth);
    }
  }
  const int64_t steps = std::array<int64_t, 3>{4, 20, 1000}[static_cast<size_t>(number % 3)];
  const bool many = number % 12 == 0;
  for (int64_t left = many ? 240 + random.below(100) : random.below(12 * made.images); left > 0; --left) {
    DetectedBox found;
    found.image = many && random.below(4) > 0 ? 0 : random.below(made.images);
    found.label = random.below(many && made.classes > 1 ? 2 : made.classes);
    CaseBox box = random_case_box(random);
    found.score = static_cast<double>(random.below(steps)) / static_cast<double>(steps);
    if (!boxes.empty() && random.below(10) < 7) {
      const auto at = static_cast<size_t>(random.below(static_cast<int64_t>(boxes.size())));
      found.image = made.truth[at].image;
      if (random.below(10) > 0) found.label = made.truth[at].label;
      const int64_t reach = 1 + random.below(60);
      for (size_t i = 0; i < 4; ++i) {
        box[i] = boxes[at][i] + random.quarters(2 * reach) - static_cast<double>(reach) / 4;
        if (i > 1) box[i] = std::max(0.25, box[i]);
      }
    }
    found.box = corners(box);
    made.detections.push_back(found);
  }
  return made;
}

}  // namespace ghost
