// The detectors against PyTorch's numbers: their maps in evaluation and in training, every gradient, the running
// statistics, the losses of five steps of SGD. In float32 to 1e-4, in float64 to 1e-9.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "kernels/optimizer_step.h"
#include "layers/models/detector.h"
#include "tests/golden/fill.h"
#include "tests/support/expect.h"

namespace ghost {
namespace {

using nlohmann::json;

constexpr int64_t kDetectorBatch = 2, kHeight = 64, kWidth = 224, kEvery = 37;
const SgdOptions kSgd{.learning_rate = 0.01, .momentum = 0.9, .nesterov = true};

json golden_of(const std::string& name) {
  const std::string path = str(GHOST_GOLDEN_DIR "/detector/", name, ".json");
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return json::parse(file);
}

std::vector<double> kept(const std::vector<Variable>& maps) {
  std::vector<double> values;
  for (const Variable& map : maps) {
    const std::vector<double> all = map.value().to_vector();
    for (size_t i = 0; i < all.size(); i += kEvery) values.push_back(all[i]);
  }
  return values;
}

// Half the mean square of each map's distance from filled numbers, summed.
Variable loss_of(const std::vector<Variable>& maps) {
  double loss = 0;
  std::vector<Tensor> gradients;
  for (size_t i = 0; i < maps.size(); ++i) {
    const Tensor& map = maps[i].value();
    const Tensor distance = map.clone(), target = test::filled(str("target ", i), map.shape(), -1, 1).to(map.dtype());
    const double share = 1 / static_cast<double>(map.numel());
    visit_float(map.dtype(), [&]<class T>(TypeTag<T>) {
      for (int64_t k = 0; k < map.numel(); ++k) {
        const double d = static_cast<double>(map.data<T>()[k]) - static_cast<double>(target.data<T>()[k]);
        loss += d * d / 2 * share;
        distance.data<T>()[k] = static_cast<T>(d * share);
      }
    });
    gradients.push_back(distance);
  }
  const Tensor value = Tensor::full({1}, loss, maps[0].value().options());
  return record("distance", maps, value, [gradients](const Tensor&, Gradients& grads) {
    for (size_t i = 0; i < gradients.size(); ++i) grads.set(static_cast<int>(i), gradients[i]);
  });
}

// Relative, except for what is 0 but for rounding.
void expect_norms(const std::map<std::string, double>& got, const json& names, const json& want, double limit) {
  ASSERT_EQ(got.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    const auto found = got.find(names[i]);
    ASSERT_NE(found, got.end()) << names[i];
    const double value = want[i];
    EXPECT_NEAR(found->second, value, limit * std::max(std::abs(value), 1e-2)) << names[i];
  }
}

void step(Detector& detector, std::vector<Tensor>& moments) {
  std::vector<ParameterSlot> slots;
  const std::vector<NamedParameter> parameters = detector.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& value = parameters[i].variable.value();
    if (moments.size() == i) moments.push_back(Tensor::zeros(value.shape(), value.options()));
    slots.push_back({.value = value,
                     .gradient = parameters[i].variable.grad(),
                     .first = moments[i],
                     .second = {},
                     .weight_decay = 0});
  }
  cpu::sgd_step(slots, kSgd);
  detector.clear_gradients();
}

void check_first_step(const Detector& detector, const json& golden, const json& want, double limit) {
  std::map<std::string, double> gradients, running;
  for (const NamedParameter& parameter : detector.parameters())
    gradients[parameter.name] = test::norm(parameter.variable.grad());
  for (const NamedTensor& buffer : detector.buffers()) running[buffer.name] = test::norm(buffer.tensor);
  expect_norms(gradients, golden["parameters"], want["gradient_norms"], limit);
  expect_norms(running, golden["running"], want["running_norms"], limit);
}

void check(const std::string& backbone, Flavour flavour, DType dtype, double limit) {
  SCOPED_TRACE(str(backbone, ' ', name_of(flavour), ' ', dtype));
  const json golden = golden_of(backbone), want = golden[std::string(name_of(flavour))];
  const auto detector = make_detector({.name = backbone + "-yolov4", .num_classes = 2, .flavour = flavour});
  test::fill_model(*detector);
  detector->to(dtype);
  const std::string pictures = str("images ", want["pictures"].get<int>());
  const Variable images(test::filled(pictures, {kDetectorBatch, kHeight, kWidth, 3}, -2, 2).to(dtype));
  {
    const NoGradScope no_grad;
    detector->set_training(false);
    test::expect_close(kept(detector->forward(images)), want["evaluation"], limit, "maps in evaluation");
    detector->set_training(true);
  }
  std::vector<Tensor> moments;
  for (size_t i = 0; i < want["losses"].size(); ++i) {
    TapeScope tape;
    const std::vector<Variable> maps = detector->forward(images);
    const Variable loss = loss_of(maps);
    tape.backward(loss);
    const double expected = want["losses"][i];
    EXPECT_NEAR(loss.value().item(), expected, limit * expected) << "step " << i;
    if (i == 0) {
      test::expect_close(kept(maps), want["training"], limit, "maps in training");
      check_first_step(*detector, golden, want, limit);
    }
    step(*detector, moments);
  }
}

class DetectorGolden : public testing::TestWithParam<const char*> {};

TEST_P(DetectorGolden, TorchFlavour) { check(GetParam(), Flavour::kTorch, DType::kFloat32, 1e-4); }
TEST_P(DetectorGolden, KerasFlavour) { check(GetParam(), Flavour::kKeras, DType::kFloat32, 1e-4); }
TEST_P(DetectorGolden, TorchFlavourInFloat64) { check(GetParam(), Flavour::kTorch, DType::kFloat64, 1e-9); }
TEST_P(DetectorGolden, KerasFlavourInFloat64) { check(GetParam(), Flavour::kKeras, DType::kFloat64, 1e-9); }

INSTANTIATE_TEST_SUITE_P(, DetectorGolden, testing::Values("ghostnet", "mobilenetv1", "mobilenetv2", "mobilenetv3"));

}  // namespace
}  // namespace ghost
