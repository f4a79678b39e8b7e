#include "layers/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "layers/conv.h"
#include "tests/support/expect.h"

namespace ghost {
namespace {

using testing::ElementsAre;

class Pair : public Module {
 public:
  Pair() : first_("conv", "bn", {.in_channels = 3, .out_channels = 4, .kernel_size = 3}, {}), head_(4, 2) {
    register_child("first", first_);
    register_child("head", head_);
  }
  std::string kind() const override { return "pair"; }

 private:
  ConvBatchNorm first_;
  Linear head_;
};

class Outer : public Module {
 public:
  Outer() { register_child("pair.0", pair_); }
  std::string kind() const override { return "outer"; }
  void add_again() { register_child("pair.0", pair_); }

 private:
  Pair pair_;
};

template <class Named>
std::vector<std::string> names_of(const std::vector<Named>& items) {
  std::vector<std::string> names;
  for (const Named& item : items) names.push_back(item.name);
  return names;
}

TEST(Module, NamesAreDottedAndInOrder) {
  const Outer outer;
  EXPECT_THAT(names_of(outer.parameters()),
              ElementsAre("pair.0.first.conv.weight", "pair.0.first.bn.weight", "pair.0.first.bn.bias",
                          "pair.0.head.weight", "pair.0.head.bias"));
  EXPECT_THAT(names_of(outer.buffers()), ElementsAre("pair.0.first.bn.running_mean", "pair.0.first.bn.running_var"));
  EXPECT_THAT(names_of(outer.state()),
              ElementsAre("pair.0.first.conv.weight", "pair.0.first.bn.weight", "pair.0.first.bn.bias",
                          "pair.0.first.bn.running_mean", "pair.0.first.bn.running_var", "pair.0.head.weight",
                          "pair.0.head.bias"));
  EXPECT_EQ(outer.parameter_count(), 4 * 3 * 9 + 4 + 4 + 2 * 4 + 2);
}

TEST(Module, OnlyConvolutionAndLinearWeightsDecay) {
  std::vector<std::string> decayed;
  const Outer outer;
  for (const NamedParameter& parameter : outer.parameters())
    if (parameter.decays()) decayed.push_back(parameter.name);
  EXPECT_THAT(decayed, ElementsAre("pair.0.first.conv.weight", "pair.0.head.weight"));
}

TEST(Module, StateSharesItsMemoryWithTheModule) {
  Outer outer;
  for (const NamedTensor& item : outer.state()) item.tensor.fill(7);
  for (const NamedParameter& parameter : outer.parameters())
    EXPECT_EQ(parameter.variable.value().to_vector()[0], 7) << parameter.name;
  for (const NamedTensor& buffer : outer.buffers()) EXPECT_EQ(buffer.tensor.to_vector()[0], 7) << buffer.name;
}

TEST(Module, ConvertsParametersAndBuffersInPlace) {
  Outer outer;
  const std::vector<NamedParameter> before = outer.parameters();
  outer.to(DType::kFloat64);
  for (const NamedTensor& item : outer.state()) EXPECT_EQ(item.tensor.dtype(), DType::kFloat64) << item.name;
  EXPECT_EQ(before[0].variable.dtype(), DType::kFloat64) << "a Variable handed out before is the module's own";
  EXPECT_EQ(outer.buffers()[1].tensor.to_vector(), std::vector<double>(4, 1.0));
}

TEST(Module, TrainingModeReachesEveryChild) {
  Outer outer;
  outer.set_training(false);
  EXPECT_FALSE(outer.children()[0]->children()[1]->training());
  outer.set_training(true);
  EXPECT_TRUE(outer.children()[0]->children()[1]->training());
}

TEST(Module, RefusesTwoPartsOfOneName) {
  Outer outer;
  test::expect_error(ErrorKind::kInternal, "pair.0", [&] { outer.add_again(); });
}

TEST(Layers, RefuseImpossibleSizes) {
  test::expect_error(ErrorKind::kUsage, "groups 2 must divide in_channels 3",
                     [] { Conv2d({.in_channels = 3, .out_channels = 4, .groups = 2}); });
  test::expect_error(ErrorKind::kUsage, "in_channels 0", [] { Conv2d({.in_channels = 0, .out_channels = 4}); });
  test::expect_error(ErrorKind::kUsage, "eps 0", [] { BatchNorm2d(4, {.eps = 0}); });
  test::expect_error(ErrorKind::kUsage, "takes no bias",
                     [] { ConvBatchNorm("0", "1", {.in_channels = 3, .out_channels = 4, .bias = true}, {}); });
}

}  // namespace
}  // namespace ghost
