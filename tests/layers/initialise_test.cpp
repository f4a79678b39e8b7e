#include "layers/initialise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "layers/models/model.h"

namespace ghost {
namespace {

std::map<std::string, std::vector<double>> values_of(const ModelOptions& options) {
  std::map<std::string, std::vector<double>> values;
  for (const NamedParameter& parameter : make_model(options)->parameters())
    values[parameter.name] = parameter.variable.value().to_vector();
  return values;
}

double sigma_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum / static_cast<double>(values.size()));
}

TEST(Initialise, TorchFlavourIsKaimingFanOut) {
  auto values = values_of({.num_classes = 10});
  EXPECT_NEAR(sigma_of(values["conv_head.weight"]), std::sqrt(2.0 / 1280), 1e-4);
  EXPECT_NEAR(sigma_of(values["blocks.8.1.se.conv_expand.weight"]), std::sqrt(2.0 / 960), 5e-4);
  // Depthwise: one input element reaches the 25 outputs of its own channel.
  EXPECT_NEAR(sigma_of(values["blocks.7.0.conv_dw.weight"]), std::sqrt(2.0 / 25), 5e-3);
  EXPECT_NEAR(sigma_of(values["classifier.weight"]), 0.01, 2e-4);
  for (const double gamma : values["bn1.weight"]) EXPECT_EQ(gamma, 1);
  for (const double bias : values["conv_head.bias"]) EXPECT_EQ(bias, 0);
  for (const double beta : values["bn1.bias"]) EXPECT_EQ(beta, 0);
}

TEST(Initialise, KerasFlavourIsNormalOfOneSigma) {
  auto values = values_of({.num_classes = 10, .flavour = Flavour::kKeras});
  for (const char* name : {"conv_head.weight", "blocks.7.0.conv_dw.weight", "classifier.weight"})
    EXPECT_NEAR(sigma_of(values[name]), 0.02, 5e-4) << name;
}

TEST(Initialise, AValueDependsOnSeedNameAndIndexOnly) {
  auto values = values_of({.num_classes = 10, .seed = 3});
  EXPECT_EQ(values_of({.num_classes = 10, .seed = 3}), values);
  EXPECT_NE(values_of({.num_classes = 10, .seed = 4})["conv_stem.weight"], values["conv_stem.weight"]);
  EXPECT_NE(values["blocks.8.0.ghost1.primary_conv.0.weight"], values["blocks.8.2.ghost1.primary_conv.0.weight"]);
  // Another head leaves the backbone as it was.
  EXPECT_EQ(values_of({.num_classes = 20, .seed = 3})["blocks.8.3.ghost2.primary_conv.0.weight"],
            values["blocks.8.3.ghost2.primary_conv.0.weight"]);
}

}  // namespace
}  // namespace ghost
