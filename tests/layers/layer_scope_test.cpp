#include "layers/layer_scope.h"

#include <gtest/gtest.h>

#include <limits>

#include "layers/models/model.h"
#include "tests/support/expect.h"

namespace ghost {
namespace {

Variable parameter(const Module& module, const std::string& name) {
  for (const NamedParameter& candidate : module.parameters())
    if (candidate.name == name) return candidate.variable;
  ADD_FAILURE() << "no parameter " << name;
  return {};
}

std::unique_ptr<Classifier> tiny_model() { return make_model({.width = 0.25, .num_classes = 3}); }

std::string error_of(Classifier& model, const Tensor& images, ErrorKind kind) {
  try {
    model.forward(Variable(images));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(LayerScope, AnErrorNamesItsModuleOnce) {
  const auto model = tiny_model();
  parameter(*model, "blocks.4.0.ghost2.primary_conv.0.weight").set_value(Tensor::zeros({8, 7, 1, 1}));
  const std::string what = error_of(*model, Tensor::zeros({1, 64, 64, 3}), ErrorKind::kUsage);
  const size_t line = what.find("\n  in ");
  ASSERT_NE(line, std::string::npos) << what;
  EXPECT_EQ(what.substr(line), "\n  in blocks.4.0.ghost2.primary_conv");
  parameter(*model, "blocks.1.0.conv_dw.weight").set_value(Tensor::zeros({9, 1, 3, 3}));
  const std::string second = error_of(*model, Tensor::zeros({1, 64, 64, 3}), ErrorKind::kUsage);
  EXPECT_EQ(second.substr(second.find("\n  in ")), "\n  in blocks.1.0.conv_dw") << "also after an earlier error";
  EXPECT_EQ(ModulePath::current(), "");
}

TEST(FiniteCheck, NamesTheFirstLayerWithANan) {
  const auto model = tiny_model();
  const Tensor images = Tensor::full({2, 64, 64, 3}, 0.5);
  parameter(*model, "blocks.3.0.ghost1.primary_conv.1.bias").value().fill(std::numeric_limits<double>::quiet_NaN());
  const FiniteCheck check;
  const std::string what = error_of(*model, images, ErrorKind::kNonFinite);
  EXPECT_NE(what.find("batch norm's shift in this conv2d 1x1 + batch_norm + relu holds nan at [0]"), std::string::npos)
      << what;
  EXPECT_NE(what.find("\n  in blocks.3.0.ghost1.primary_conv"), std::string::npos) << what;
}

TEST(FiniteCheck, FindsAnInfiniteWeightAndABadPicture) {
  const auto model = tiny_model();
  {
    const FiniteCheck check;
    const Tensor images = Tensor::zeros({1, 64, 64, 3});
    images.data<float>()[5] = std::numeric_limits<float>::infinity();
    EXPECT_NE(error_of(*model, images, ErrorKind::kNonFinite).find("the batch of images holds inf at [0, 0, 1, 2]"),
              std::string::npos);
    parameter(*model, "blocks.6.1.ghost1.cheap_operation.1.weight")
        .value()
        .fill(std::numeric_limits<double>::infinity());
    EXPECT_NE(error_of(*model, Tensor::full({1, 64, 64, 3}, 0.5), ErrorKind::kNonFinite)
                  .find("in blocks.6.1.ghost1.cheap_operation"),
              std::string::npos);
  }
  EXPECT_NO_THROW(model->forward(Variable(Tensor::full({1, 64, 64, 3}, 0.5)))) << "no search outside the scope";
}

TEST(RequireFinite, ReadsEveryFloatingTypeAndChannelViews) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kBFloat16, DType::kFloat16}) {
    const Tensor all = Tensor::zeros({2, 2, 2, 6}).to(dtype);
    EXPECT_NO_THROW(require_finite(all, "it"));
    all.channels(4, 1).copy_from(Tensor::full({2, 2, 2, 1}, std::numeric_limits<double>::infinity()).to(dtype));
    EXPECT_NO_THROW(require_finite(all.channels(0, 4), "it")) << "the view ends before";
    test::expect_error(ErrorKind::kNonFinite, "it holds inf at [0, 0, 0, 1]",
                       [&] { require_finite(all.channels(3, 3), "it"); });
  }
}

}  // namespace
}  // namespace ghost
