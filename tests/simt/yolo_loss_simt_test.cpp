#include <gtest/gtest.h>

#include <functional>

#include "losses/yolo_loss_kernels.h"
#include "tests/simt/feature_inputs.h"

namespace ghost {
namespace {

struct LossCase {
  std::string name;
  int64_t n, h, w, classes;
  int64_t boxes;  // of each picture but the first, which has none
  std::function<void(YoloLossOptions&)> change = nullptr;
  double low = -1.5, high = 1.5;
  int64_t room = 0;  // rows that the targets have at least
};

DetectionTargets random_boxes(const LossCase& c) {
  Rng rng(5, 6);
  std::vector<float> boxes;
  std::vector<int64_t> labels, first{0};
  for (int64_t image = 0; image < c.n; ++image) {
    for (int64_t i = 0; image > 0 && i < c.boxes; ++i) {
      boxes.push_back(rng.uniform(0, static_cast<float>(c.w) * 32));
      boxes.push_back(rng.uniform(0, static_cast<float>(c.h) * 32));
      boxes.push_back(rng.uniform(3, 90));
      boxes.push_back(rng.uniform(3, 90));
      labels.push_back(i % c.classes);
    }
    first.push_back(static_cast<int64_t>(labels.size()));
  }
  const auto m = static_cast<int64_t>(labels.size());
  return {Tensor::from(boxes, {m, 4}), Tensor::from(labels, {m}), Tensor::from(first, {c.n + 1})};
}

// `room`: rows of the targets, of which some are then spare.
YoloLossState state_of(const std::vector<Tensor>& maps, const LossCase& c, DType dtype, int64_t room = 0) {
  YoloLossOptions options;
  options.anchors = {{5, 6}, {8, 15}, {16, 11}, {15, 30}, {31, 22}, {29, 60}, {58, 45}, {75, 90}, {150, 130}};
  options.num_classes = c.classes;
  if (c.change) c.change(options);
  YoloLossState state(maps, options, Tensor::zeros({kYoloTotals}, {DType::kFloat64, Device::cpu()}));
  YoloGrid grid{c.n, {}, {}};
  for (size_t l = 0; l < kYoloMaps; ++l) {
    grid.h[l] = maps[l].dim(1);
    grid.w[l] = maps[l].dim(2);
  }
  state.targets = assign_yolo_targets(random_boxes(c), grid, options, {dtype, Device::cpu()}, room);
  return state;
}

void check_yolo_loss(const LossCase& c) {
  std::vector<simt::Surrounded> maps;
  std::vector<Tensor> views, doubles, dmaps64;
  for (int64_t scale = 1; scale <= 4; scale *= 2) {
    const Shape shape{c.n, c.h * scale, c.w * scale, 3 * (5 + c.classes)};
    maps.push_back(simt::random_map(
        shape, {.seed = static_cast<uint64_t>(scale), .before = 1, .after = 2, .low = c.low, .high = c.high}));
    views.push_back(maps.back().view());
    doubles.push_back(simt::to_double(views.back()));
    dmaps64.push_back(simt::empty_double(shape));
  }
  const YoloLossState state64 = state_of(doubles, c, DType::kFloat64);
  const Tensor loss64 = simt::empty_double({1});
  cpu::yolo_loss_forward(state64, loss64);
  cpu::yolo_loss_backward(state64, Tensor::full({1}, 0.75, {DType::kFloat64, Device::cpu()}), dmaps64);

  simt::for_each_order([&] {
    const YoloLossState state = state_of(views, c, DType::kFloat32, c.room);
    const simt::Surrounded loss = simt::empty_map({1});
    simt::yolo_loss_forward(state, loss);
    simt::expect_close({"loss", c.name}, loss, loss64, simt::kLimit);
    simt::expect_close({"sums", c.name}, state.sums, state64.sums, simt::kLimit);
    simt::expect_close({"factors", c.name}, state.factors, state64.factors, simt::kLimit);
    simt::expect_close({"totals", c.name}, state.totals, state64.totals, simt::kLimit);
    std::vector<simt::Surrounded> dmaps;
    std::vector<Tensor> gradients;
    for (const Tensor& map : views) dmaps.push_back(simt::empty_map(map.shape(), {.after = 3}));
    for (size_t l = 0; l < kYoloMaps; ++l) {
      gradients.push_back(dmaps[l].view());
      EXPECT_EQ(state.roles[l].to_vector(), state64.roles[l].to_vector()) << c.name << ", roles of map " << l;
    }
    simt::yolo_loss_backward(state, Tensor::full({1}, 0.75), gradients);
    for (size_t l = 0; l < kYoloMaps; ++l)
      simt::expect_close({str("gradient of map ", l), c.name}, gradients[l], dmaps64[l], 1e-4);
  });
}

TEST(YoloLossSimt, ForwardAndBackward) {
  using Options = YoloLossOptions;
  check_yolo_loss({"plain", 2, 1, 2, 2, 6});
  check_yolo_loss({"no pictures", 0, 1, 2, 2, 6});
  check_yolo_loss({"no boxes", 2, 1, 1, 3, 0});
  check_yolo_loss({.name = "no boxes, room for some", .n = 2, .h = 1, .w = 1, .classes = 3, .boxes = 0, .room = 9});
  check_yolo_loss({.name = "spare room", .n = 2, .h = 1, .w = 2, .classes = 2, .boxes = 6, .room = 77});
  check_yolo_loss({"more classes than a warp and a word", 2, 1, 1, 70, 9, [](Options& o) { o.label_smoothing = 0.1; }});
  check_yolo_loss({"several blocks", 3, 2, 3, 1, 40, [](Options& o) { o.ignore_threshold = 0.2; }});
  check_yolo_loss({"generation 2", 2, 1, 2, 2, 6, [](Options& o) { o.generation = 2; }});
  check_yolo_loss({"focal", 2, 1, 2, 2, 6, [](Options& o) { o.focal = true; }});
  check_yolo_loss({"same level", 2, 1, 2, 2, 6, [](Options& o) {
                     o.ignore_same_level = true;
                     o.ignore_threshold = 0.1;
                   }});
  for (const BoxLoss kind : {BoxLoss::kDiou, BoxLoss::kGiou, BoxLoss::kSiou})
    check_yolo_loss({str("box loss ", static_cast<int>(kind)), 2, 1, 2, 2, 6, [=](Options& o) { o.box_loss = kind; }});
}

TEST(YoloLossSimt, ShowsWhatIsNaN) {
  const LossCase c{"NaN", 2, 1, 1, 2, 1};
  std::vector<Tensor> maps;
  for (int64_t scale = 1; scale <= 4; scale *= 2) maps.push_back(Tensor::full({2, scale, scale, 21}, NAN));
  const YoloLossState state = state_of(maps, c, DType::kFloat32);
  const Tensor loss({1});
  simt::yolo_loss_forward(state, loss);
  EXPECT_TRUE(std::isnan(loss.item()));
}

}  // namespace
}  // namespace ghost
