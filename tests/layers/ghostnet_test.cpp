#include "layers/models/ghostnet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "layers/layer_scope.h"
#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"

namespace ghost {
namespace {

struct Published {
  double width;
  int64_t parameters, macs;
};
constexpr Published kPublished[] = {
    {0.5, 2'587'292, 42'328'152}, {1.0, 5'182'508, 141'150'512}, {1.3, 7'358'820, 227'003'256}};

std::vector<LayerRecord> trace(Classifier& model, int64_t size) {
  model.set_training(false);
  const NoGradScope no_grad;
  const LayerTrace layers;
  model.forward(Variable(Tensor::zeros({1, size, size, 3})));
  return layers.records();
}

TEST(GhostNet, ParametersAndMacsAreThePublishedOnes) {
  for (const Published& row : kPublished) {
    const auto model = make_model({.width = row.width});
    EXPECT_EQ(model->parameter_count(), row.parameters) << "width " << row.width;
    int64_t macs = 0, parameters = 0;
    for (const LayerRecord& record : trace(*model, 224)) {
      macs += record.macs;
      parameters += record.parameters;
    }
    EXPECT_EQ(macs, row.macs) << "width " << row.width;
    EXPECT_EQ(parameters, row.parameters) << "width " << row.width << ", the sum of the layer table";
  }
}

TEST(GhostNet, NamesAndShapesAreTimms) {
  std::ifstream file(GHOST_GOLDEN_DIR "/ghostnet_keys.txt");
  const auto model = make_model({});
  std::string name, shape;
  size_t lines = 0;
  for (const NamedTensor& item : model->state()) {
    ASSERT_TRUE(file >> name >> shape) << "the file ends before " << item.name;
    EXPECT_EQ(item.name, name);
    std::string ours;
    for (const int64_t dim : item.tensor.shape()) ours += (ours.empty() ? "" : "x") + std::to_string(dim);
    EXPECT_EQ(ours, shape) << name;
    ++lines;
  }
  EXPECT_EQ(lines, 432u);
  EXPECT_FALSE(file >> name) << name << " is missing here";
}

TEST(GhostNet, HasEightyBatchNormsAndNinetyFiveConvolutions) {
  const auto model = make_model({});
  int64_t norms = 0, convs = 0, channels = 0;
  for (const NamedParameter& parameter : model->parameters()) {
    norms += parameter.kind == ParameterKind::kNormWeight;
    channels += parameter.kind == ParameterKind::kNormWeight ? parameter.variable.value().numel() : 0;
    convs += parameter.kind == ParameterKind::kConvWeight;
  }
  EXPECT_EQ(norms, 80);
  EXPECT_EQ(channels, 10'984);
  EXPECT_EQ(convs, 94 + 1) << "94 and conv_head";
}

TEST(GhostNet, BlocksHaveTheTablesParametersMacsAndSizes) {
  struct Block {
    const char* name;
    int64_t parameters, macs, side;
  };
  constexpr Block kBlocks[] = {
      {"conv_stem", 464, 5'419'008, 112},       {"blocks.0.0.", 464, 5'017'600, 112},
      {"blocks.1.0.", 2'564, 12'681'984, 56},   {"blocks.2.0.", 2'352, 6'773'760, 56},
      {"blocks.3.0.", 9'636, 7'632'768, 28},    {"blocks.4.0.", 13'672, 4'335'360, 28},
      {"blocks.5.0.", 22'920, 7'683'200, 14},   {"blocks.6.0.", 17'820, 3'382'960, 14},
      {"blocks.6.1.", 16'436, 3'117'968, 14},   {"blocks.6.2.", 16'436, 3'117'968, 14},
      {"blocks.6.3.", 175'792, 11'566'304, 14}, {"blocks.6.4.", 306'992, 15'669'024, 14},
      {"blocks.7.0.", 362'840, 12'702'368, 7},  {"blocks.8.0.", 160'880, 7'773'360, 7},
      {"blocks.8.1.", 622'880, 8'234'160, 7},   {"blocks.8.2.", 160'880, 7'773'360, 7},
      {"blocks.8.3.", 622'880, 8'234'160, 7},   {"blocks.9.0", 155'520, 7'526'400, 7},
      {"conv_head", 1'230'080, 1'228'800, 1},   {"classifier", 1'281'000, 1'280'000, 0},
  };
  const std::vector<LayerRecord> records = trace(*make_model({}), 224);
  for (const Block& block : kBlocks) {
    int64_t parameters = 0, macs = 0, side = 0;
    for (const LayerRecord& record : records) {
      if (record.name.rfind(block.name, 0) != 0) continue;
      parameters += record.parameters;
      macs += record.macs;
      side = record.output.rank() == 4 ? record.output[1] : 0;
    }
    EXPECT_EQ(parameters, block.parameters) << block.name;
    EXPECT_EQ(macs, block.macs) << block.name;
    EXPECT_EQ(side, block.side) << block.name;
  }
}

TEST(GhostNet, LayerTableNamesKindsAndShapes) {
  const std::vector<LayerRecord> records = trace(*make_model({.num_classes = 7}), 64);
  std::map<std::string, LayerRecord> table;
  for (const LayerRecord& record : records) table[record.name] = record;
  EXPECT_EQ(table["conv_stem"].kind, "conv2d 3x3/2 + batch_norm + relu");
  EXPECT_EQ(table["blocks.3.0.conv_dw"].kind, "depthwise 5x5/2 + batch_norm");
  EXPECT_EQ(table["blocks.3.0.se"].kind, "squeeze_excite (hard_sigmoid)");
  EXPECT_EQ(table["blocks.3.0.ghost2.cheap_operation"].kind, "depthwise 3x3 + batch_norm");
  EXPECT_EQ(table["blocks.3.0.ghost2.cheap_operation"].output, (Shape{1, 8, 8, 20}));
  EXPECT_EQ(table["classifier"].output, (Shape{1, 7}));
}

TEST(GhostNet, FeaturesHaveStrides8And16And32) {
  GhostNetBackbone model({.width = 0.5});
  const NoGradScope no_grad;
  const std::vector<Feature> taps = model.features(Variable(Tensor::zeros({2, 64, 96, 3})));
  EXPECT_EQ(model.channels(), (std::array<int64_t, 3>{20, 56, 80}));
  ASSERT_EQ(taps.size(), 3u);
  EXPECT_EQ(taps[0].shape(), (Shape{2, 8, 12, 20}));
  EXPECT_EQ(taps[1].shape(), (Shape{2, 4, 6, 56}));
  EXPECT_EQ(taps[2].shape(), (Shape{2, 2, 3, 80}));
}

TEST(GhostNet, DropoutIsDrawnInTrainingOnly) {
  const auto model = make_model({.width = 0.25, .num_classes = 3, .dropout = 0.5});
  const NoGradScope no_grad;
  const Variable images(test::random_tensor({2, 64, 64, 3}, {}, 1));
  const auto logits = [&](uint64_t stream) {
    return model->forward(images, {.seed = 1, .stream = stream}).value().to_vector();
  };
  EXPECT_EQ(logits(1), logits(1));
  EXPECT_NE(logits(1), logits(2));
  model->set_training(false);
  EXPECT_EQ(logits(1), logits(2));
}

TEST(GhostNet, RefusesWhatItCannotTake) {
  const auto model = make_model({.width = 0.25, .num_classes = 3});
  test::expect_error(ErrorKind::kUsage, "[n, h, w, 3], got [1, 3, 32, 32]", [&] {
    model->forward(Variable(Tensor::zeros({1, 3, 32, 32})));
  });
  test::expect_error(ErrorKind::kUsage, "float64", [&] {
    model->forward(Variable(Tensor::zeros({1, 32, 32, 3}, {DType::kFloat64, Device::cpu()})));
  });
  test::expect_error(ErrorKind::kUsage, "unknown model 'ghostnot'; there is ghostnet",
                     [] { make_model({.name = "ghostnot"}); });
  test::expect_error(ErrorKind::kUsage, "width 0", [] { make_model({.width = 0}); });
  test::expect_error(ErrorKind::kUsage, "num_classes 0", [] { make_model({.num_classes = 0}); });
  test::expect_error(ErrorKind::kUsage, "dropout 1", [] { make_model({.dropout = 1}); });
  test::expect_error(ErrorKind::kUsage, "unknown flavour 'onnx'", [] { flavour_from_name("onnx"); });
}

TEST(MakeDivisible, RoundsToTheNearestButNotFarDown) {
  EXPECT_EQ(make_divisible(16 * 1.3, 4), 20);
  EXPECT_EQ(make_divisible(184 * 0.5, 4), 92);
  EXPECT_EQ(make_divisible(18, 4), 20);
  EXPECT_EQ(make_divisible(5, 4), 8) << "4 would be under 0.9 of 5";
  EXPECT_EQ(make_divisible(0.4, 4), 4);
}

}  // namespace
}  // namespace ghost
