// The YOLO loss against PyTorch's numbers: terms, counts, norms of the gradients and their largest elements.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "losses/yolo_loss.h"
#include "tests/golden/fill.h"

namespace ghost {
namespace {

using nlohmann::json;

YoloLossOptions options_of(const json& c) {
  YoloLossOptions options;
  options.anchors = {{12, 16}, {19, 36}, {40, 28}, {36, 75}, {76, 55}, {72, 146}, {142, 110}, {192, 243}, {459, 401}};
  options.num_classes = c["classes"];
  options.generation = c["generation"];
  const std::string kind = c["box_loss"];
  options.box_loss = kind == "ciou"   ? BoxLoss::kCiou
                     : kind == "diou" ? BoxLoss::kDiou
                     : kind == "giou" ? BoxLoss::kGiou
                                      : BoxLoss::kSiou;
  options.label_smoothing = c["smoothing"];
  options.focal = c["focal"];
  options.ignore_threshold = c["threshold"];
  options.ignore_same_level = c["same_level"];
  return options;
}

DetectionTargets targets_of(const json& pictures) {
  std::vector<float> boxes;
  std::vector<int64_t> labels, first{0};
  for (const json& picture : pictures) {
    for (const json& box : picture) {
      for (size_t k = 0; k < 4; ++k) boxes.push_back(box[k]);
      labels.push_back(box[4]);
    }
    first.push_back(static_cast<int64_t>(labels.size()));
  }
  const auto m = static_cast<int64_t>(labels.size());
  return {Tensor::from(boxes, {m, 4}), Tensor::from(labels, {m}),
          Tensor::from(first, {static_cast<int64_t>(first.size())})};
}

void check(const json& c, size_t index, DType dtype, double limit, double gradient_limit) {
  SCOPED_TRACE(str("case ", index, ", ", dtype));
  const int64_t n = c["n"], h = c["h"], w = c["w"], classes = c["classes"];
  Variables maps;
  for (int64_t l = 0; l < 3; ++l) {
    const Shape shape{n, h << l, w << l, 3 * (5 + classes)};
    maps.emplace_back(test::filled(str("yolo ", index, ' ', l), shape, -2, 2).to(dtype), true);
  }
  const Tensor totals = Tensor::zeros({kYoloTotals}, {DType::kFloat64, Device::cpu()});
  TapeScope tape;
  const Variable loss = yolo_loss(maps, targets_of(c["boxes"]), options_of(c), totals);
  const std::vector<double> terms = totals.to_vector();
  tape.backward(loss);
  const auto near = [](double got, double want, double to) {
    EXPECT_NEAR(got, want, to * std::max(std::fabs(want), 1e-3));
  };
  near(terms[kTotalBox], c["terms"][0], limit);
  near(terms[kTotalObjectness], c["terms"][1], limit);
  near(terms[kTotalClasses], c["terms"][2], limit);
  near(loss.value().item(), terms[kTotalBox] + terms[kTotalObjectness] + terms[kTotalClasses], limit);
  EXPECT_EQ(terms[kTotalIgnored], c["ignored"].get<double>());
  for (size_t l = 0; l < 3; ++l) {
    EXPECT_EQ(terms[kTotalMatched + l], c["matched"][l].get<double>());
    const std::vector<double> gradient = maps[l].grad().to_vector();
    double squares = 0;
    for (const double d : gradient) squares += d * d;
    near(std::sqrt(squares), c["norms"][l], gradient_limit);
    for (const json& element : c["largest"][l]) near(gradient[element[0].get<size_t>()], element[1], gradient_limit);
  }
}

TEST(YoloGolden, AsInPyTorch) {
  const std::string path = GHOST_GOLDEN_DIR "/yolo/yolo.json";
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  const json cases = json::parse(file);
  ASSERT_GE(cases.size(), 50u);
  int64_t matched = 0, ignored = 0;
  for (size_t i = 0; i < cases.size(); ++i) {
    check(cases[i], i, DType::kFloat64, 1e-9, 1e-8);
    check(cases[i], i, DType::kFloat32, 1e-4, 1e-4);
    for (const json& count : cases[i]["matched"]) matched += count.get<int64_t>();
    ignored += cases[i]["ignored"].get<int64_t>();
  }
  EXPECT_GT(matched, 100);
  EXPECT_GT(ignored, 100);
}

}  // namespace
}  // namespace ghost
