#include "train/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "tests/support/expect.h"
#include "train/checkpoint.h"

namespace ghost {
namespace {

using test::expect_error;
namespace fs = std::filesystem;
using testing::HasSubstr;

// By process: tests run several at a time.
std::string temporary(const std::string& name) {
  return (std::filesystem::path(testing::TempDir()) / (std::to_string(getpid()) + name)).string();
}

ModelCard small_card(int64_t classes = 3) {
  ModelCard card;
  card.model.width = 0.25;
  card.input.size = 32;
  card.input.mean = {0.1, 0.2, 0.3};
  for (int64_t i = 0; i < classes; ++i) card.classes.push_back("name \"" + std::to_string(i) + "\"");
  return card;
}

std::vector<std::vector<double>> values_of(Module& module) {
  std::vector<std::vector<double>> values;
  for (const NamedTensor& tensor : module.state()) values.push_back(tensor.tensor.to_vector());
  return values;
}

TEST(Weights, CardAndTensorsComeBack) {
  const ModelCard card = small_card();
  const auto model = make_model(card, 3);
  const std::string path = temporary("card.safetensors");
  save_weights(path, *model, card);
  const LoadedModel loaded = load_model(path, Device::cpu());
  EXPECT_EQ(loaded.card.classes, card.classes);
  EXPECT_EQ(loaded.card.input, card.input);
  EXPECT_EQ(loaded.card.model.width, 0.25);
  EXPECT_FALSE(loaded.model->training());
  EXPECT_EQ(values_of(*loaded.model), values_of(*model));
}

TEST(Weights, FileWithoutCardIsReadByItsShapes) {
  ModelCard card = small_card(7);
  card.model.width = 0.5;
  const auto model = make_model(card, 3);
  const std::string path = temporary("plain.safetensors");
  std::vector<NamedTensor> tensors = with_prefix("module.", model->state());
  tensors.push_back({"module.bn1.num_batches_tracked", Tensor::from<int64_t>({5}, {1})});
  for (NamedTensor& tensor : tensors) tensor.name.erase(0, 7);
  write_safetensors(path, tensors);
  const LoadedModel loaded = load_model(path, Device::cpu());
  EXPECT_EQ(loaded.card.model.width, 0.5);
  EXPECT_EQ(loaded.card.classes.size(), 7u);
  EXPECT_EQ(values_of(*loaded.model), values_of(*model));
}

TEST(Weights, PrefixesOfOtherFrameworksAreDropped) {
  const ModelCard card = small_card();
  const auto model = make_model(card, 3), other = make_model(card, 4);
  const std::string path = temporary("prefixed.safetensors");
  write_safetensors(path, with_prefix("module.backbone.model.", model->state()));
  const LoadReport report = load_weights(*other, SafetensorsReader(path), "", false);
  EXPECT_EQ(report.loaded.size(), model->state().size());
  EXPECT_TRUE(report.missing.empty());
  EXPECT_EQ(values_of(*other), values_of(*model));
}

// As in MobileNet v3's originals: its squeeze-excite is made of linear layers.
TEST(Weights, LinearWeightsAreThoseOfA1x1Convolution) {
  const auto model = make_model({.name = "mobilenetv3", .width = 0.25, .num_classes = 3, .seed = 3}),
             other = make_model({.name = "mobilenetv3", .width = 0.25, .num_classes = 3, .seed = 4});
  std::vector<NamedTensor> tensors = model->state();
  int64_t reshaped = 0;
  for (NamedTensor& tensor : tensors) {
    const Shape& shape = tensor.tensor.shape();
    if (shape.rank() != 4 || shape[2] * shape[3] != 1) continue;
    tensor.tensor = tensor.tensor.reshape({shape[0], shape[1]});
    ++reshaped;
  }
  EXPECT_GT(reshaped, 16);
  const std::string path = temporary("linear.safetensors");
  write_safetensors(path, tensors);
  load_weights(*other, SafetensorsReader(path), "", false);
  EXPECT_EQ(values_of(*other), values_of(*model));
}

TEST(Weights, HeadOfAnotherClassCount) {
  const auto model = make_model(small_card(3), 3), other = make_model(small_card(5), 4);
  const std::string path = temporary("head.safetensors");
  save_weights(path, *model, small_card(3));
  const SafetensorsReader file(path);
  const auto before = values_of(*other);
  expect_error(ErrorKind::kWeights, "model.replace_head=true", [&] { load_weights(*other, file, "", false); });
  EXPECT_EQ(values_of(*other), before);
  const LoadReport report = load_weights(*other, file, "", true);
  EXPECT_EQ(report.skipped, (std::vector<std::string>{"classifier.weight", "classifier.bias"}));
}

TEST(Weights, MissingTensorsAreAnErrorWithTheirNames) {
  const auto model = make_model(small_card(), 3);
  std::vector<NamedTensor> tensors = model->state();
  const std::string lost = tensors[10].name;
  tensors.erase(tensors.begin() + 10);
  const std::string path = temporary("missing.safetensors");
  write_safetensors(path, tensors);
  expect_error(ErrorKind::kWeights, lost, [&] { load_weights(*model, SafetensorsReader(path), "", false); });
}

TEST(Weights, NothingThatIsNotFiniteIsSaved) {
  const ModelCard card = small_card();
  const auto model = make_model(card, 3);
  const std::string path = temporary("finite.safetensors");
  save_weights(path, *model, card);
  model->buffers()[3].tensor.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  expect_error(ErrorKind::kNonFinite, model->buffers()[3].name, [&] { save_weights(path, *model, card); });
  EXPECT_EQ(load_model(path, Device::cpu()).card.classes, card.classes);
}

class Checkpoints : public testing::Test {
 protected:
  struct Parts {
    explicit Parts(uint64_t seed)
        : model(make_model(small_card(), seed)), optimizer(*model, OptimizerConfig{.name = "adam"}), ema(*model, 0.9) {
      for (const NamedTensor& tensor : optimizer.state("")) tensor.tensor.fill(static_cast<double>(seed));
    }
    CheckpointParts parts() { return {*model, optimizer, &ema}; }
    std::unique_ptr<Classifier> model;
    Optimizer optimizer;
    Ema ema;
  };
  std::string path_ = temporary("checkpoint.safetensors");
};

TEST_F(Checkpoints, EverythingComesBack) {
  Parts saved(1), loaded(2);
  const TrainingState state{.epoch = 3, .step_in_epoch = 4, .step = 99, .sums = {0.1 + 0.2, 7}, .best_metric = 1.0 / 3};
  save_checkpoint(path_, saved.parts(), state, small_card(), "train: {epochs: 5}\n");
  const TrainingState back = load_checkpoint(path_, loaded.parts());
  EXPECT_EQ(back.step_in_epoch, 4);
  EXPECT_EQ(back.sums, state.sums);
  EXPECT_EQ(back.best_metric, 1.0 / 3);
  EXPECT_EQ(loaded.optimizer.steps(), 99);
  EXPECT_EQ(values_of(*loaded.model), values_of(*saved.model));
  EXPECT_EQ(loaded.optimizer.state("")[5].tensor.to_vector(), saved.optimizer.state("")[5].tensor.to_vector());
  EXPECT_EQ(loaded.ema.state("")[5].tensor.to_vector(), saved.ema.state("")[5].tensor.to_vector());
  EXPECT_EQ(read_checkpoint_header(path_).config_yaml, "train: {epochs: 5}\n");
}

// Version 0.1.0 before detectors: one sum, the loss's.
TEST_F(Checkpoints, AnEarlierOneGoesOn) {
  Parts saved(1), loaded(2);
  save_checkpoint(path_, saved.parts(), {.step = 9, .sums = {0.5}}, small_card(), "");
  std::vector<NamedTensor> tensors;
  std::map<std::string, std::string> metadata;
  {
    const SafetensorsReader file(path_);
    for (const std::string& name : file.names()) tensors.push_back({name, file.read(name)});
    metadata = file.metadata();
  }
  std::string& state = metadata.at("ghosttrain.state");
  const std::string now = "\"sums\":[0.5]";
  ASSERT_THAT(state, HasSubstr(now));
  state.replace(state.find(now), now.size(), "\"loss_sum\":0.5");
  write_safetensors(path_, tensors, metadata);
  EXPECT_EQ(load_checkpoint(path_, loaded.parts()).sums, std::vector<double>{0.5});
}

TEST_F(Checkpoints, DamageChangesNothing) {
  Parts saved(1), loaded(2);
  save_checkpoint(path_, saved.parts(), {}, small_card(), "");
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-5, std::ios::end);
  file.put('x');
  file.close();
  const auto before = values_of(*loaded.model);
  expect_error(ErrorKind::kWeights, "does not match its checksum", [&] { load_checkpoint(path_, loaded.parts()); });
  EXPECT_EQ(values_of(*loaded.model), before);
}

TEST_F(Checkpoints, PlainWeightsAreNoCheckpoint) {
  Parts parts(1);
  save_weights(path_, *parts.model, small_card());
  expect_error(ErrorKind::kWeights, "is not a checkpoint", [&] { load_checkpoint(path_, parts.parts()); });
}

TEST(EmaAverages, FollowTheFormulaAndTakeTurnsWithTheWeights) {
  const auto model = make_model(small_card(), 3);
  Ema ema(*model, 0.9);
  const Tensor weight = model->parameters()[0].variable.value();
  const double first = weight.to_vector()[0];
  weight.fill(2.0);
  ema.update(1);  // decay min(0.9, 2 / 11)
  const double average = first + (1 - 2.0 / 11) * (2.0 - first);
  {
    const Ema::Scope averaged(&ema);
    EXPECT_NEAR(weight.to_vector()[0], average, 1e-6);
  }
  EXPECT_EQ(weight.to_vector()[0], 2.0);
  EXPECT_NEAR(ema.state("")[0].tensor.to_vector()[0], average, 1e-6);
}

}  // namespace
}  // namespace ghost
