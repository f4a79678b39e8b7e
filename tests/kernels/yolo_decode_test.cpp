#include "kernels/yolo_decode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"

namespace ghost {
namespace {

using Detections = std::vector<std::vector<ScoredBox>>;

DecodeBoxesOptions options_of(int64_t classes) {
  return {.anchors = {{5, 6}, {8, 15}, {16, 11}, {15, 30}, {31, 22}, {29, 60}, {58, 45}, {75, 90}, {150, 130}},
          .num_classes = classes,
          .score_threshold = 0.2};
}

std::vector<Tensor> maps_of(int64_t n, int64_t h, int64_t w, int64_t classes, double low, double high,
                            DType dtype = DType::kFloat64) {
  std::vector<Tensor> maps;
  for (int64_t scale = 1; scale <= 4; scale *= 2)
    maps.push_back(test::random_tensor({n, h * scale, w * scale, 3 * (5 + classes)}, {dtype, Device::cpu()},
                                       static_cast<uint64_t>(scale) + 5, low, high));
  return maps;
}

struct Plain {
  ScoredBox found;
  size_t order;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Decoding by the formula, suppression class by class, then the best of all classes.
std::vector<ScoredBox> plain_detect(const std::vector<Tensor>& maps, int64_t image, const DecodeBoxesOptions& options) {
  std::vector<Plain> all;
  for (size_t l = 0; l < 3; ++l) {
    const std::vector<double> x = maps[l].to_vector();
    const int64_t h = maps[l].dim(1), w = maps[l].dim(2), size = 5 + options.num_classes;
    const double stride = 32 / static_cast<double>(1 << l);
    for (int64_t a = 0; a < h * w * 3; ++a) {
      const double* const t = x.data() + (image * h * w * 3 + a) * size;
      const auto& [aw, ah] = options.anchors[(2 - l) * 3 + static_cast<size_t>(a % 3)];
      const double cx = (sigmoid(t[0]) + static_cast<double>(a / 3 % w)) * stride, bw = std::exp(t[2]) * aw;
      const double cy = (sigmoid(t[1]) + static_cast<double>(a / 3 / w)) * stride, bh = std::exp(t[3]) * ah;
      const int64_t best = std::max_element(t + 5, t + size) - (t + 5);
      for (int64_t c = 0; c < options.num_classes; ++c) {
        const double score = sigmoid(t[4]) * sigmoid(t[5 + c]);
        if (score >= options.score_threshold && (options.multi_label || c == best))
          all.push_back({{{cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2}, c, score}, all.size()});
      }
    }
  }
  const auto before = [](const Plain& a, const Plain& b) {
    return a.found.score != b.found.score ? a.found.score > b.found.score : a.order < b.order;
  };
  std::vector<Plain> kept;
  for (int64_t c = 0; c < options.num_classes; ++c) {
    std::vector<Plain> of_class;
    for (const Plain& plain : all)
      if (plain.found.label == c) of_class.push_back(plain);
    std::sort(of_class.begin(), of_class.end(), before);
    while (!of_class.empty()) {
      const Plain best = of_class.front();
      kept.push_back(best);
      std::erase_if(of_class, [&](const Plain& other) {
        return other.order == best.order ||
               intersection_over_union(best.found.box, other.found.box) > options.iou_threshold;
      });
    }
  }
  std::sort(kept.begin(), kept.end(), before);
  std::vector<ScoredBox> result;
  for (const Plain& plain : kept)
    if (static_cast<int64_t>(result.size()) < options.max_detections) result.push_back(plain.found);
  return result;
}

void expect_same(const std::vector<ScoredBox>& got, const std::vector<ScoredBox>& want, double limit) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].label, want[i].label) << i;
    EXPECT_NEAR(got[i].score, want[i].score, limit) << i;
    EXPECT_NEAR(got[i].box.left, want[i].box.left, limit * 100) << i;
    EXPECT_NEAR(got[i].box.top, want[i].box.top, limit * 100) << i;
    EXPECT_NEAR(got[i].box.right, want[i].box.right, limit * 100) << i;
    EXPECT_NEAR(got[i].box.bottom, want[i].box.bottom, limit * 100) << i;
  }
}

TEST(YoloDecode, AsByTheFormulas) {
  for (const bool multi_label : {true, false}) {
    for (const double iou : {0.0, 0.3, 0.6, 1.0}) {
      for (const int64_t most : {1, 7, 10000}) {
        DecodeBoxesOptions options = options_of(5);
        options.multi_label = multi_label;
        options.iou_threshold = iou;
        options.max_detections = most;
        const std::vector<Tensor> maps = maps_of(2, 2, 3, 5, -2, 2);
        const Detections got = detect_boxes(maps, options);
        ASSERT_EQ(got.size(), 2u);
        for (const int64_t image : {0, 1}) {
          const std::vector<ScoredBox> want = plain_detect(maps, image, options);
          EXPECT_GE(want.size(), std::min<size_t>(static_cast<size_t>(most), 20));
          expect_same(got[static_cast<size_t>(image)], want, 1e-10);
        }
      }
    }
  }
}

TEST(YoloDecode, ReadsFloat32AndViews) {
  const DecodeBoxesOptions options = options_of(2);
  std::vector<Tensor> maps;
  for (const Tensor& map : maps_of(1, 1, 2, 2, -2, 2))
    maps.push_back(test::GuardedTensor(map.to(DType::kFloat32)).view());
  expect_same(detect_boxes(maps, options)[0], plain_detect(maps, 0, options), 1e-5);
}

TEST(YoloDecode, SameOnCuda) {
  if (const std::string reason = cuda_unavailable_reason(); !reason.empty()) GTEST_SKIP() << reason;
  for (const bool multi_label : {true, false}) {
    DecodeBoxesOptions options = options_of(40);
    options.multi_label = multi_label;
    const std::vector<Tensor> maps = maps_of(3, 3, 4, 40, -2, 2);
    std::vector<Tensor> there;
    for (const Tensor& map : maps) there.push_back(map.to(DType::kFloat32).to(Device::cuda()));
    const Detections got = detect_boxes(there, options);
    ASSERT_EQ(got.size(), 3u);
    for (const int64_t image : {0, 1, 2})
      expect_same(got[static_cast<size_t>(image)], plain_detect(maps, image, options), 1e-5);
  }
}

TEST(YoloDecode, NothingOverTheThreshold) {
  const Detections got = detect_boxes(maps_of(3, 1, 1, 2, -9, -8), options_of(2));
  ASSERT_EQ(got.size(), 3u);
  for (const std::vector<ScoredBox>& picture : got) EXPECT_TRUE(picture.empty());
  EXPECT_TRUE(detect_boxes(maps_of(0, 1, 1, 2, 0, 1), options_of(2)).empty());
}

TEST(YoloDecode, EqualScoresStandByPlace) {
  DecodeBoxesOptions options = options_of(2);
  options.iou_threshold = 1;
  std::vector<Tensor> maps;
  for (const int64_t size : {1, 2, 4}) maps.push_back(Tensor::zeros({1, size, size, 21}));
  const std::vector<ScoredBox> got = detect_boxes(maps, options)[0];
  ASSERT_EQ(got.size(), 100u);  // of 126
  expect_same(got, plain_detect(maps, 0, options), 1e-5);
  EXPECT_EQ(got[0].label, 0);
  EXPECT_EQ(got[1].label, 1);
  EXPECT_NEAR(got[1].box.width(), 58, 1e-4);
}

// 1 * 21 * 3 * 600 = 37,800 candidates: more than suppression looks at. The worst must fall out, not the last.
TEST(YoloDecode, KeepsTheBestOfVeryManyCandidates) {
  DecodeBoxesOptions options = options_of(600);
  options.score_threshold = 0;
  options.iou_threshold = 1;
  options.max_detections = 40000;
  std::vector<Tensor> maps = maps_of(1, 1, 1, 600, 0, 2);
  const std::vector<ScoredBox> got = detect_boxes(maps, options)[0];
  std::vector<ScoredBox> want = plain_detect(maps, 0, options);
  ASSERT_EQ(want.size(), 37800u);
  want.resize(30000);
  expect_same(got, want, 1e-10);
}

TEST(YoloDecode, LargeAndBrokenLogits) {
  const DecodeBoxesOptions options = options_of(2);
  std::vector<Tensor> maps = maps_of(1, 1, 1, 2, 50, 51, DType::kFloat32);
  const std::vector<ScoredBox> large = detect_boxes(maps, options)[0];
  ASSERT_FALSE(large.empty());
  for (const ScoredBox& found : large) EXPECT_TRUE(std::isfinite(found.box.area()));
  for (const Tensor& map : maps) map.fill(std::numeric_limits<double>::quiet_NaN());
  EXPECT_TRUE(detect_boxes(maps, options)[0].empty());
}

TEST(YoloDecode, RefusesWhatDoesNotFit) {
  const std::vector<Tensor> maps = maps_of(1, 1, 1, 2, -1, 1);
  const auto refused = [&](const char* why, const std::vector<Tensor>& x,
                           const std::function<void(DecodeBoxesOptions&)>& change = nullptr) {
    DecodeBoxesOptions options = options_of(2);
    if (change) change(options);
    test::expect_error(ErrorKind::kUsage, why, [&] { detect_boxes(x, options); });
  };
  refused("3 maps", {maps[0]});
  refused("map 2 is", {maps[0], maps[1], maps[1]});
  refused("9 anchors", maps, [](auto& o) { o.anchors.clear(); });
  refused("3 * (5 + 4 classes)", maps, [](auto& o) { o.num_classes = 4; });
  refused("score_threshold is 2", maps, [](auto& o) { o.score_threshold = 2; });
  refused("iou_threshold is -1", maps, [](auto& o) { o.iou_threshold = -1; });
  refused("max_detections is 0", maps, [](auto& o) { o.max_detections = 0; });
}

}  // namespace
}  // namespace ghost
