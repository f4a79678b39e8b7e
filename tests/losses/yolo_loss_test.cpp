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

std::vector<OpCase> cases() {
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
GHOST_OP_TESTS(YoloLossOp, cases());

}  // namespace
}  // namespace ghost
