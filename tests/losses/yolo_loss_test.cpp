#include "losses/yolo_loss.h"

#include <cmath>

#include "tests/losses/yolo_reference.h"
#include "tests/support/op_test.h"

namespace ghost {
namespace {

using test::OpCase;
using test::PlainYolo;

struct Boxes {  // of a picture: cx, cy, w, h, label
  std::vector<std::array<float, 5>> boxes;
};

DetectionTargets targets_of(const std::vector<Boxes>& pictures) {
  std::vector<float> boxes;
  std::vector<int64_t> labels, first{0};
  for (const Boxes& picture : pictures) {
    for (const auto& box : picture.boxes) {
      boxes.insert(boxes.end(), box.begin(), box.begin() + 4);
      labels.push_back(static_cast<int64_t>(box[4]));
    }
    first.push_back(static_cast<int64_t>(labels.size()));
  }
  const auto m = static_cast<int64_t>(labels.size());
  return {Tensor::from(boxes, {m, 4}), Tensor::from(labels, {m}),
          Tensor::from(first, {static_cast<int64_t>(first.size())})};
}

// Small enough that inputs of 32 to 96 pixels use all of them.
YoloLossOptions options_of(int64_t classes) {
  return {.anchors = {{5, 6}, {8, 15}, {16, 11}, {15, 30}, {31, 22}, {29, 60}, {58, 45}, {75, 90}, {150, 130}},
          .num_classes = classes};
}

std::vector<test::OpInput> maps_of(int64_t n, int64_t h, int64_t w, int64_t classes, bool pitched = false) {
  std::vector<test::OpInput> maps;
  for (int64_t scale = 1; scale <= 4; scale *= 2)
    maps.push_back(
        {.shape = {n, h * scale, w * scale, 3 * (5 + classes)}, .low = -1.5, .high = 1.5, .pitched = pitched});
  return maps;
}

const std::vector<Boxes> kTwoPictures = {
    {{{20, 12, 30, 25, 0}, {9, 9, 6, 7, 1}, {40, 20, 90, 70, 1}, {50.5f, 17.25f, 14, 17, 0}}},
    {{{33, 30, 17, 29, 1}, {30, 8, 16, 12, 0}}}};

OpCase loss_case(const std::string& name, const YoloLossOptions& options, std::vector<test::OpInput> maps,
                 const std::vector<Boxes>& pictures) {
  return {.name = name,
          .inputs = std::move(maps),
          .op = [=](const Variables& x) { return yolo_loss(x, targets_of(pictures), options); },
          .reference =
              [=](const std::vector<Tensor>& x) {
                return std::vector<double>{PlainYolo(x, targets_of(pictures), options).loss()};
              },
          .float32_limit = 1e-4,
          .float32_gradient_limit = 1e-3,
          .cuda_limit = 1e-3};
}

OpCase with(const std::string& name, const std::function<void(YoloLossOptions&)>& change) {
  YoloLossOptions options = options_of(2);
  change(options);
  return loss_case(name, options, maps_of(2, 1, 2, 2), kTwoPictures);
}

std::vector<OpCase> yolo_loss_cases() {
  using Options = YoloLossOptions;
  const std::vector<Boxes> none(2);
  return {
      with("plain", [](Options&) {}),
      with("generation_2", [](Options& o) { o.generation = 2; }),
      with("diou", [](Options& o) { o.box_loss = BoxLoss::kDiou; }),
      with("giou", [](Options& o) { o.box_loss = BoxLoss::kGiou; }),
      with("siou", [](Options& o) { o.box_loss = BoxLoss::kSiou; }),
      with("smooth", [](Options& o) { o.label_smoothing = 0.1; }),
      with("focal", [](Options& o) { o.focal = true; }),
      with("focal_generation_2",
           [](Options& o) {
             o.focal = true;
             o.generation = 2;
             o.focal_gamma = 1.5;
           }),
      with("ignore_much", [](Options& o) { o.ignore_threshold = 0.1; }),
      with("ignore_same_level",
           [](Options& o) {
             o.ignore_threshold = 0.1;
             o.ignore_same_level = true;
           }),
      with("weights",
           [](Options& o) {
             o.balance = {0.3, 2, 1.5};
             o.box_weight = 0.7;
             o.object_weight = 1.25;
             o.class_weight = 9;
           }),
      loss_case("no_boxes", options_of(2), maps_of(2, 1, 1, 2), none),
      loss_case("one_class", options_of(1), maps_of(1, 1, 1, 1), {{{{9, 20, 20, 20, 0}}}}),
      loss_case("many_classes", options_of(67), maps_of(1, 1, 1, 67), {{{{9, 20, 40, 20, 66}, {9, 20, 40, 20, 63}}}}),
      loss_case("pitched", options_of(2), maps_of(2, 2, 1, 2, true), kTwoPictures),
      loss_case("two_boxes_in_a_cell", options_of(3), maps_of(1, 1, 1, 3),
                {{{{9, 20, 6, 7, 0}, {10, 21, 5, 8, 2}, {10, 21, 5, 8, 2}}}}),
      loss_case("on_the_border", options_of(2), maps_of(1, 1, 1, 2), {{{{32, 32, 16, 30, 0}, {0, 32, 6, 6, 1}}}}),
      loss_case("centre_outside", options_of(2), maps_of(1, 1, 1, 2), {{{{-9, 50, 16, 30, 0}}}}),
      loss_case("tiny_boxes", options_of(2), maps_of(1, 1, 1, 2),
                {{{{3, 3, 0.25f, 0.25f, 0}, {20, 20, 1, 9, 1}, {5, 5, 0, 3, 0}, {6, 6, -2, 3, 1}}}}),
  };
}
GHOST_OP_TESTS(YoloLossOp, yolo_loss_cases());

Variables random_maps(int64_t n, int64_t h, int64_t w, int64_t classes, DType dtype = DType::kFloat64,
                      double limit = 1.5) {
  Variables maps;
  for (const test::OpInput& input : maps_of(n, h, w, classes))
    maps.emplace_back(test::random_tensor(input.shape, {dtype, Device::cpu()}, maps.size() + 7, -limit, limit), true);
  return maps;
}

std::vector<Tensor> values_of(const Variables& maps) {
  std::vector<Tensor> values;
  for (const Variable& map : maps) values.push_back(map.value());
  return values;
}

TEST(YoloLoss, TermsAddUpAndCount) {
  for (const int generation : {2, 3}) {
    for (const bool same_level : {false, true}) {
      YoloLossOptions options = options_of(2);
      options.generation = generation;
      options.ignore_threshold = 0.15;
      options.ignore_same_level = same_level;
      const Variables maps = random_maps(2, 1, 2, 2);
      const DetectionTargets targets = targets_of(kTwoPictures);
      const Tensor totals = Tensor::full({kYoloTotals}, 10, {DType::kFloat64, Device::cpu()});
      const double loss = yolo_loss(maps, targets, options, totals).value().item();
      const PlainYolo plain(values_of(maps), targets, options);
      std::vector<double> terms = totals.to_vector();
      for (double& term : terms) term -= 10;  // what was there before
      EXPECT_NEAR(terms[kTotalLoss], loss, 1e-12);
      EXPECT_NEAR(terms[kTotalBox] + terms[kTotalObjectness] + terms[kTotalClasses], loss, 1e-12);
      EXPECT_NEAR(terms[kTotalBox], plain.box, 1e-12);
      EXPECT_NEAR(terms[kTotalObjectness], plain.objectness, 1e-12);
      EXPECT_NEAR(terms[kTotalClasses], plain.class_loss, 1e-12);
      for (size_t l = 0; l < 3; ++l) EXPECT_EQ(terms[kTotalMatched + l], static_cast<double>(plain.matched[l]));
      EXPECT_EQ(plain.matched, (std::array<int64_t, 3>{1, 2, 3}));
      EXPECT_EQ(terms[kTotalIgnored], static_cast<double>(plain.ignored));
      EXPECT_GT(plain.ignored, 0);
    }
  }
}

TEST(YoloLoss, APerfectPredictionCostsNothing) {
  // Anchor 4 (31 x 22) at the middle of cell (1, 1) of a map of stride 16.
  const YoloLossOptions options = options_of(1);
  std::vector<Tensor> values;
  for (const int64_t size : {1, 2, 4}) {
    values.push_back(Tensor::zeros({1, size, size, 18}, {DType::kFloat64, Device::cpu()}));
    for (int64_t k = 4; k < values.back().numel(); k += 6) values.back().data<double>()[k] = -40;
  }
  double* const anchor = values[1].data<double>() + 3 * 18 + 6;
  anchor[4] = anchor[5] = 40;
  const DetectionTargets targets = targets_of({{{{24, 24, 31, 22, 0}}}});
  for (const BoxLoss kind : {BoxLoss::kCiou, BoxLoss::kDiou, BoxLoss::kGiou, BoxLoss::kSiou}) {
    YoloLossOptions of_kind = options;
    of_kind.box_loss = kind;
    const Variables maps{Variable(values[0], true), Variable(values[1], true), Variable(values[2], true)};
    TapeScope tape;
    const Variable loss = yolo_loss(maps, targets, of_kind);
    EXPECT_NEAR(loss.value().item(), 0, 1e-12);
    tape.backward(loss);
    for (const double d : maps[1].grad().to_vector()) EXPECT_TRUE(std::isfinite(d));
  }
}

TEST(YoloLoss, StaysFiniteForLargeLogits) {
  for (const BoxLoss kind : {BoxLoss::kCiou, BoxLoss::kDiou, BoxLoss::kGiou, BoxLoss::kSiou}) {
    for (const bool focal : {false, true}) {
      YoloLossOptions options = options_of(2);
      options.box_loss = kind;
      options.focal = focal;
      for (const double t : {-50.0, -17.0, 17.0, 50.0}) {
        for (const double u : {-50.0, 0.0, 50.0}) {  // widths and heights apart
          Variables maps;
          for (const test::OpInput& input : maps_of(2, 1, 2, 2)) {
            maps.emplace_back(Tensor::full(input.shape, t), true);
            for (int64_t k = 3; k < maps.back().value().numel(); k += 7)
              maps.back().value().data<float>()[k] = static_cast<float>(u);
          }
          TapeScope tape;
          const Variable loss = yolo_loss(maps, targets_of(kTwoPictures), options);
          EXPECT_TRUE(std::isfinite(loss.value().item())) << t << ' ' << u;
          tape.backward(loss);
          for (const Variable& map : maps)
            for (const double d : map.grad().to_vector()) ASSERT_TRUE(std::isfinite(d)) << t << ' ' << u;
        }
      }
    }
  }
}

TEST(YoloLoss, ShowsWhatIsNaN) {
  // One box, for anchor 4 at cell (1, 1) of the map of stride 16: elements 3 * 21 + 7 and on.
  for (const BoxLoss kind : {BoxLoss::kCiou, BoxLoss::kDiou, BoxLoss::kGiou, BoxLoss::kSiou}) {
    for (int64_t k = 0; k < 7; ++k) {
      YoloLossOptions options = options_of(2);
      options.box_loss = kind;
      const Variables maps = random_maps(1, 1, 1, 2, DType::kFloat32);
      maps[1].value().data<float>()[3 * 21 + 7 + k] = NAN;
      TapeScope tape;
      const Variable loss = yolo_loss(maps, targets_of({{{{24, 24, 31, 22, 0}}}}), options);
      EXPECT_TRUE(std::isnan(loss.value().item())) << "logit " << k << " of an anchor with a box";
      tape.backward(loss);
      EXPECT_TRUE(std::isnan(maps[1].grad().to_vector()[static_cast<size_t>(3 * 21 + 7 + k)]));
    }
  }
  const Variables maps = random_maps(1, 1, 1, 2, DType::kFloat32);
  maps[2].value().data<float>()[4] = NAN;
  EXPECT_TRUE(std::isnan(yolo_loss(maps, targets_of({{}}), options_of(2)).value().item()));
}

TEST(YoloLoss, AnEmptyBatchCostsNothing) {
  const Variables maps = random_maps(0, 2, 3, 4);
  const Tensor totals = Tensor::zeros({kYoloTotals}, {DType::kFloat64, Device::cpu()});
  TapeScope tape;
  const Variable loss = yolo_loss(maps, targets_of({}), options_of(4), totals);
  EXPECT_EQ(loss.value().item(), 0);
  EXPECT_EQ(totals.to_vector(), std::vector<double>(kYoloTotals));
  tape.backward(loss);
  EXPECT_EQ(maps[2].grad().shape(), maps[2].shape());
}

TEST(YoloLoss, SameBitsForAnyThreads) {
  YoloLossOptions options = options_of(7);
  options.ignore_threshold = 0.2;
  const Tensor sizes = test::random_tensor({60, 4}, {}, 3, 3, 90);
  std::vector<Boxes> pictures(3);
  for (size_t i = 0; i < 60; ++i) {
    const float* const b = sizes.data<float>() + i * 4;
    pictures[i % 3].boxes.push_back({b[0], b[1], b[2], b[3], static_cast<float>(i % 7)});
  }
  const Variables values = random_maps(3, 3, 3, 7, DType::kFloat32);
  test::expect_same_for_any_threads([&] {
    const Variables maps{Variable(values[0].value(), true), Variable(values[1].value(), true),
                         Variable(values[2].value(), true)};
    TapeScope tape;
    const Variable loss = yolo_loss(maps, targets_of(pictures), options);
    tape.backward(loss);
    return std::vector<Tensor>{loss.value(), maps[0].grad(), maps[1].grad(), maps[2].grad()};
  });
}

TEST(YoloLoss, RefusesWhatDoesNotFit) {
  const Variables maps = random_maps(1, 1, 1, 2);
  const DetectionTargets one = targets_of({{{{9, 9, 9, 9, 1}}}});
  const auto refused = [&](ErrorKind kind, const char* why, const Variables& x, const DetectionTargets& targets,
                           const std::function<void(YoloLossOptions&)>& change = nullptr) {
    YoloLossOptions options = options_of(2);
    if (change) change(options);
    test::expect_error(kind, why, [&] { yolo_loss(x, targets, options); });
  };
  refused(ErrorKind::kUsage, "3 maps", {maps[0], maps[1]}, one);
  refused(ErrorKind::kUsage, "map 1 is", {maps[0], Variable(), maps[2]}, one);
  refused(ErrorKind::kUsage, "twice the rows", {maps[0], maps[0], maps[2]}, one);
  refused(ErrorKind::kUsage, "3 * (5 + 3 classes)", maps, one, [](auto& o) { o.num_classes = 3; });
  refused(ErrorKind::kUsage, "9 anchors", maps, one, [](auto& o) { o.anchors.pop_back(); });
  refused(ErrorKind::kUsage, "an anchor is 0 x 5", maps, one, [](auto& o) { o.anchors[3] = {0, 5}; });
  refused(ErrorKind::kUsage, "generation is 1", maps, one, [](auto& o) { o.generation = 1; });
  refused(ErrorKind::kUsage, "label_smoothing is 1", maps, one, [](auto& o) { o.label_smoothing = 1; });
  refused(ErrorKind::kUsage, "ignore_threshold is 0", maps, one, [](auto& o) { o.ignore_threshold = 0; });
  refused(ErrorKind::kUsage, "int64 [2]", maps, targets_of(kTwoPictures));
  refused(ErrorKind::kData, "labels[0] is 2", maps, targets_of({{{{9, 9, 9, 9, 2}}}}));
  refused(ErrorKind::kData, "boxes[0] is (nan", maps, targets_of({{{{NAN, 9, 9, 9, 1}}}}));
  DetectionTargets wrong = one;
  wrong.first = Tensor::from<int64_t>({0, 2}, {2});
  refused(ErrorKind::kUsage, "goes from 0 to 2", maps, wrong);
}

}  // namespace
}  // namespace ghost
