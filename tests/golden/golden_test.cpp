// GhostNet against PyTorch's numbers: logits, loss, every gradient, running statistics, ten training steps. In float32
// to 1e-4 relative, as trained; in float64 to 1e-9, where rounding can hide nothing.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/optimizer_step.h"
#include "losses/cross_entropy.h"
#include "tests/golden/fill.h"
#include "tests/support/expect.h"

namespace ghost {
namespace {

using nlohmann::json;

constexpr int64_t kClasses = 10, kBatch = 4;

struct Precision {
  DType dtype;
  double limit;
};
constexpr Precision kFloat{DType::kFloat32, 1e-4}, kDouble{DType::kFloat64, 1e-9};

json golden_of(Flavour flavour) {
  const std::string path = str(GHOST_GOLDEN_DIR "/ghostnet_", name_of(flavour), ".json");
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return json::parse(file);
}

std::unique_ptr<Classifier> filled_model(Flavour flavour, DType dtype) {
  auto model = make_model({.num_classes = kClasses, .dropout = 0, .flavour = flavour});
  test::fill_model(*model);
  model->to(dtype);
  return model;
}

struct Batch {
  Variable images;
  ClassTargets targets;
};

Batch batch_of(const json& size, DType dtype) {
  const int64_t height = size[0], width = size[1];
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < kBatch; ++i) labels.push_back((3 * i + 1) % kClasses);
  const Tensor images = test::filled(str("images ", height, 'x', width), {kBatch, height, width, 3}, -2, 2);
  return {Variable(images.to(dtype)), {.labels = Tensor::from(labels, {kBatch}), .other_labels = {}, .mix = {}}};
}

// Relative, except for what is 0 but for rounding: the bias of a batch norm whose output another batch norm shifts
// back.
void expect_norm(double got, double want, double limit, const std::string& name) {
  EXPECT_NEAR(got, want, limit * std::max(std::abs(want), 1e-2)) << name;
}

std::vector<double> eval_logits(Classifier& model, const Variable& images) {
  const NoGradScope no_grad;
  model.set_training(false);
  const std::vector<double> logits = model.forward(images).value().to_vector();
  model.set_training(true);
  return logits;
}

// Forward, loss and backward of one batch.
void check_step(Flavour flavour, const json& want, const Precision& precision) {
  const auto model = filled_model(flavour, precision.dtype);
  const Batch batch = batch_of(want["size"], precision.dtype);
  test::expect_close(eval_logits(*model, batch.images), want["eval_logits"], precision.limit, "logits in evaluation");

  TapeScope tape;
  const Variable logits = model->forward(batch.images);
  test::expect_close(logits.value().to_vector(), want["logits"], precision.limit, "logits in training");
  const Variable loss = softmax_cross_entropy(logits, batch.targets);
  EXPECT_NEAR(loss.value().item(), want["loss"], precision.limit * want["loss"].get<double>());
  tape.backward(loss);

  const json& gradients = want["gradient_norms"];
  ASSERT_EQ(model->parameters().size(), gradients.size());
  for (const NamedParameter& parameter : model->parameters())
    expect_norm(test::norm(parameter.variable.grad()), gradients.at(parameter.name), precision.limit,
                "gradient of " + parameter.name);
  const json& running = want["running_norms"];
  ASSERT_EQ(model->buffers().size(), running.size());
  for (const NamedTensor& buffer : model->buffers())
    expect_norm(test::norm(buffer.tensor), running.at(buffer.name), precision.limit, buffer.name);
}

std::vector<ParameterSlot> sgd_slots(const Module& model, double weight_decay) {
  std::vector<ParameterSlot> slots;
  for (const NamedParameter& parameter : model.parameters()) {
    const Tensor& value = parameter.variable.value();
    slots.push_back({.value = value,
                     .gradient = {},
                     .first = Tensor::zeros(value.shape(), value.options()),
                     .second = {},
                     .weight_decay = parameter.decays() ? weight_decay : 0});
  }
  return slots;
}

double train_step(Classifier& model, const Batch& batch, std::vector<ParameterSlot>& slots, const SgdOptions& options) {
  TapeScope tape;
  const Variable loss = softmax_cross_entropy(model.forward(batch.images), batch.targets);
  tape.backward(loss);
  const std::vector<NamedParameter> parameters = model.parameters();
  for (size_t i = 0; i < slots.size(); ++i) slots[i].gradient = parameters[i].variable.grad();
  cpu::sgd_step(slots, options);
  model.clear_gradients();
  return loss.value().item();
}

void check_training(Flavour flavour, const json& golden, const Precision& precision) {
  const json& want = golden["training"];
  const auto model = filled_model(flavour, precision.dtype);
  const Batch batch = batch_of(golden["even"]["size"], precision.dtype);
  std::vector<ParameterSlot> slots = sgd_slots(*model, want["weight_decay"]);
  const SgdOptions options{.learning_rate = want["learning_rate"], .momentum = want["momentum"], .nesterov = true};
  for (size_t step = 0; step < want["losses"].size(); ++step) {
    const double loss = want["losses"][step];
    EXPECT_NEAR(train_step(*model, batch, slots, options), loss, precision.limit * loss) << "step " << step;
  }
  test::expect_close(eval_logits(*model, batch.images), want["eval_logits"], precision.limit, "logits after training");
}

void check_flavour(Flavour flavour, const Precision& precision) {
  const json golden = golden_of(flavour);
  check_step(flavour, golden["even"], precision);
  check_step(flavour, golden["odd"], precision);
  check_training(flavour, golden, precision);
}

TEST(Golden, TorchFlavour) { check_flavour(Flavour::kTorch, kFloat); }
TEST(Golden, KerasFlavour) { check_flavour(Flavour::kKeras, kFloat); }
TEST(Golden, TorchFlavourInFloat64) { check_flavour(Flavour::kTorch, kDouble); }
TEST(Golden, KerasFlavourInFloat64) { check_flavour(Flavour::kKeras, kDouble); }

// A test that cannot fail shows nothing: the two flavours' numbers must tell each other apart.
TEST(Golden, FlavoursDiffer) {
  const std::vector<double> torch = golden_of(Flavour::kTorch)["even"]["logits"];
  const std::vector<double> keras = golden_of(Flavour::kKeras)["even"]["logits"];
  EXPECT_GT(test::worst_difference(torch, keras).error, 0.01);
}

}  // namespace
}  // namespace ghost
