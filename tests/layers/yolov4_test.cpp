#include "layers/models/yolov4.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/tape.h"
#include "layers/layer_scope.h"
#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"

namespace ghost {
namespace {

struct Totals {
  const char* name;
  double width;
  int64_t classes, parameters;
  double gmacs;  // at 416; 0: not published
};
// Of the PyTorch originals (their summary tools and our own count).
constexpr Totals kTotals[] = {
    {"ghostnet-yolov4", 1, 20, 11'105'445, 3.2668},    {"ghostnet-yolov4", 1, 80, 11'428'545, 3.4849},
    {"mobilenetv1-yolov4", 1, 20, 12'368'929, 4.9950}, {"mobilenetv1-yolov4", 1, 80, 12'692'029, 5.2131},
    {"mobilenetv2-yolov4", 1, 20, 10'478'049, 3.7903}, {"mobilenetv2-yolov4", 1, 80, 10'801'149, 4.0083},
    {"mobilenetv3-yolov4", 1, 20, 11'405'969, 3.5270}, {"mobilenetv3-yolov4", 1, 80, 11'729'069, 3.7450},
    {"mobilenetv1-yolov4", 0.75, 20, 7'010'769, 0},    {"mobilenetv1-yolov4", 0.5, 20, 3'163'265, 0},
    {"mobilenetv1-yolov4", 0.25, 20, 826'417, 0},      {"mobilenetv2-yolov4", 1.3, 20, 17'557'289, 0},
    {"mobilenetv2-yolov4", 0.75, 20, 5'961'089, 0},    {"mobilenetv2-yolov4", 0.5, 20, 2'701'089, 0},
    {"mobilenetv3-yolov4", 0.75, 20, 6'574'993, 0},    {"ghostnet-yolov4", 0.5, 20, 9'182'933, 2.927},
    {"ghostnet-yolov4", 1.3, 20, 12'840'861, 3.555},
};

TEST(Yolov4, ParametersAndMacsToTheDigit) {
  for (const Totals& totals : kTotals) {
    const auto detector = make_detector({.name = totals.name, .width = totals.width, .num_classes = totals.classes});
    EXPECT_EQ(detector->parameter_count(), totals.parameters) << totals.name << ' ' << totals.width;
    if (totals.gmacs == 0) continue;
    const double digits = totals.gmacs < 3 || totals.gmacs == 3.555 ? 1e-3 : 1e-4;
    EXPECT_NEAR(static_cast<double>(total_macs(trace_layers(*detector, 416))) / 1e9, totals.gmacs, 0.51 * digits)
        << totals.name;
  }
}

TEST(MobileNets, ClassifiersHaveThePublishedSizes) {
  for (const auto& [name, parameters] : {std::pair{"mobilenetv1", 3'206'976 + 1'025'000},
                                         {"mobilenetv2", 1'811'712 + 1'693'160},
                                         {"mobilenetv3", 2'816'432 + 2'666'600}}) {
    const auto model = make_model({.name = name});
    EXPECT_EQ(model->parameter_count(), parameters) << name;
    const NoGradScope no_grad;
    EXPECT_EQ(model->forward(Variable(Tensor::zeros({2, 64, 64, 3}))).shape(), (Shape{2, 1000}));
  }
}

TEST(MobileNets, NamesOfTheOriginals) {
  const auto has = [](const Module& module, const std::string& name) {
    for (const NamedTensor& tensor : module.state())
      if (tensor.name == name) return true;
    return false;
  };
  const auto v1 = make_detector({.name = "mobilenetv1-yolov4"});
  EXPECT_TRUE(has(*v1, "backbone.model.stage1.0.0.weight"));
  EXPECT_TRUE(has(*v1, "backbone.model.stage3.1.4.running_var"));
  EXPECT_TRUE(has(*v1, "conv1.0.conv.weight"));
  EXPECT_TRUE(has(*v1, "conv1.1.3.weight"));
  EXPECT_TRUE(has(*v1, "make_five_conv4.4.bn.running_mean"));
  EXPECT_TRUE(has(*v1, "upsample1.upsample.0.conv.weight"));
  EXPECT_TRUE(has(*v1, "yolo_head3.0.0.weight"));
  EXPECT_TRUE(has(*v1, "yolo_head1.1.bias"));
  EXPECT_TRUE(has(*v1, "down_sample2.4.weight"));
  const auto v2 = make_model({.name = "mobilenetv2"});
  EXPECT_TRUE(has(*v2, "features.0.0.weight"));
  EXPECT_TRUE(has(*v2, "features.1.conv.0.1.running_mean"));
  EXPECT_TRUE(has(*v2, "features.1.conv.1.weight"));
  EXPECT_TRUE(has(*v2, "features.17.conv.0.0.weight"));
  EXPECT_TRUE(has(*v2, "features.17.conv.1.1.bias"));
  EXPECT_TRUE(has(*v2, "features.17.conv.3.bias"));
  EXPECT_TRUE(has(*v2, "features.18.1.running_var"));
  EXPECT_TRUE(has(*v2, "classifier.1.weight"));
  const auto v3 = make_model({.name = "mobilenetv3"});
  EXPECT_TRUE(has(*v3, "features.1.conv.4.weight"));
  EXPECT_TRUE(has(*v3, "features.4.conv.5.fc.0.weight"));
  EXPECT_TRUE(has(*v3, "features.15.conv.8.weight"));
  EXPECT_TRUE(has(*v3, "classifier.3.bias"));
}

TEST(Yolov4, MapsAndFirstObjectness) {
  const auto detector = make_detector({.name = "mobilenetv1-yolov4", .width = 0.25, .num_classes = 2});
  const NoGradScope no_grad;
  const std::vector<Variable> maps = detector->forward(Variable(test::random_tensor({2, 64, 96, 3}, {}, 1)));
  ASSERT_EQ(maps.size(), 3u);
  EXPECT_EQ(maps[0].shape(), (Shape{2, 2, 3, 21}));
  EXPECT_EQ(maps[2].shape(), (Shape{2, 8, 12, 21}));
  const std::vector<double> values = maps[2].value().to_vector();
  double mean = 0;
  for (size_t i = 4; i < values.size(); i += 7) mean += 7 * values[i] / static_cast<double>(values.size());
  EXPECT_NEAR(1 / (1 + std::exp(-mean)), 0.01, 0.005);
  test::expect_error(ErrorKind::kUsage, "multiple of 32", [&] {
    detector->forward(Variable(Tensor::zeros({1, 48, 64, 3})));
  });
}

Variable sum_of_squares(const Variable& map) {
  const Tensor& x = map.value();
  double sum = 0;
  for (const double value : x.to_vector()) sum += value * value / 2;
  return record("sum_of_squares", {map}, Tensor::full({1}, sum, x.options()), [x](const Tensor& dy, Gradients& grads) {
    const Tensor dx = x.clone();
    GHOST_ASSERT(dy.item() == 1, "for tests with a gradient of 1");
    grads.set(0, dx);
  });
}

// The whole network, in double: the gradient of a few weights against finite differences.
TEST(Yolov4, GradientsReachEveryPartOfTheNeck) {
  for (const char* name : {"mobilenetv1-yolov4", "ghostnet-yolov4", "mobilenetv2-yolov4", "mobilenetv3-yolov4"}) {
    const bool ghost = std::string(name).starts_with("ghost");
    const auto detector = make_detector({.name = name, .width = ghost ? 0.5 : 0.25, .num_classes = 1});
    detector->to(DType::kFloat64);
    const Tensor images = test::random_tensor({2, 64, 64, 3}, {DType::kFloat64, {}}, 3);
    const auto loss = [&](int map) {
      return sum_of_squares(detector->forward(Variable(images))[static_cast<size_t>(map)]);
    };
    // The smallest map depends on all of the neck; ReLU6's kinks make single differences rough, so a direction is
    // taken.
    TapeScope tape;
    const Variable value = loss(0);
    tape.backward(value);
    for (const char* part :
         {"conv_for_P3.conv.weight", "upsample2.upsample.0.conv.weight", "make_five_conv1.4.conv.weight",
          "conv2.2.conv.weight", "down_sample2.3.weight", "conv1.0.conv.weight"}) {
      for (const NamedParameter& parameter : detector->parameters()) {
        if (parameter.name != part) continue;
        const std::vector<double> gradient = parameter.variable.grad().to_vector();
        const Tensor& weight = parameter.variable.value();
        const double step = 1e-9;  // batch norm over eight values bends sharply
        double along = 0;
        const Tensor saved = weight.clone();
        for (int64_t i = 0; i < weight.numel(); i += 97) along += std::abs(gradient[static_cast<size_t>(i)]);
        const auto moved = [&](double sign) {
          weight.copy_from(saved);
          for (int64_t i = 0; i < weight.numel(); i += 97)
            weight.data<double>()[i] += sign * step * (gradient[static_cast<size_t>(i)] < 0 ? -1 : 1);
          const NoGradScope no_grad;
          return loss(0).value().item();
        };
        const double difference = (moved(1) - moved(-1)) / (2 * step);
        weight.copy_from(saved);
        EXPECT_GT(along, 0) << part;
        EXPECT_NEAR(difference, along, 1e-2 * along) << name << ' ' << part;
      }
    }
  }
}

// Forward and backward of a quadratic loss over all three maps.
void run_step(Detector& detector, const Variable& images) {
  TapeScope tape;
  const std::vector<Variable> maps = detector.forward(images);
  Tensor total = Tensor::zeros({1}, maps[0].value().options());
  tape.backward(record("sum_of_squares", maps, total, [maps](const Tensor&, Gradients& grads) {
    for (size_t i = 0; i < maps.size(); ++i) {
      const Tensor dy = Tensor::zeros(maps[i].shape(), maps[i].value().options());
      dy.add_in_place(maps[i].value());
      grads.set(static_cast<int>(i), dy);
    }
  }));
}

TEST(Yolov4, ConcatsCopyNothing) {
  for (const std::string& name : detector_names()) {
    const auto detector = make_detector({.name = name, .width = 0.5, .num_classes = 1});
    const Variable images(test::random_tensor({1, 64, 64, 3}, {}, 1));
    const int64_t before = copied_bytes();
    run_step(*detector, images);
    EXPECT_EQ(copied_bytes() - before, 0) << name;
    for (const NamedParameter& parameter : detector->parameters())
      EXPECT_TRUE(parameter.variable.grad().defined()) << name << ' ' << parameter.name;
  }
}

TEST(Yolov4, IsTheSameBitsForAnyThreads) {
  test::expect_same_for_any_threads([&] {
    const auto detector = make_detector({.width = 0.5, .num_classes = 1, .seed = 3});
    run_step(*detector, Variable(test::random_tensor({2, 64, 96, 3}, {}, 1)));
    std::vector<Tensor> gradients;
    for (const NamedParameter& parameter : detector->parameters()) gradients.push_back(parameter.variable.grad());
    return gradients;
  });
}

TEST(Yolov4, AFrozenBackboneStandsStill) {
  const auto detector = make_detector({.name = "mobilenetv1-yolov4", .width = 0.25, .num_classes = 1});
  const auto snapshot = [&] {
    std::vector<std::vector<double>> values;
    for (const NamedTensor& tensor : detector->state())
      if (tensor.name.starts_with("backbone.")) values.push_back(tensor.tensor.to_vector());
    return values;
  };
  const Variable images(test::random_tensor({2, 64, 64, 3}, {}, 1));
  detector->freeze_backbone(true);
  detector->set_training(true);
  const auto before = snapshot();
  {
    TapeScope tape;
    tape.backward(sum_of_squares(detector->forward(images)[1]));
  }
  EXPECT_EQ(snapshot(), before) << "running statistics drift";
  for (const NamedParameter& parameter : detector->parameters())
    if (parameter.name.starts_with("backbone.")) {
      ASSERT_FALSE(parameter.variable.grad().defined()) << parameter.name;
    }
  detector->freeze_backbone(false);
  detector->set_training(true);
  {
    TapeScope tape;
    tape.backward(sum_of_squares(detector->forward(images)[1]));
  }
  EXPECT_NE(snapshot(), before);
}

}  // namespace
}  // namespace ghost
