// train.precision: training in bfloat16 and float16 keeps near float32, and a loss scale that is too large is halved.
#include "train/precision.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/safetensors.h"
#include "kernels/optimizer_step.h"
#include "kernels/tf32.h"
#include "layers/models/detector.h"
#include "layers/models/model.h"
#include "losses/cross_entropy.h"
#include "losses/yolo_loss.h"
#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"
#include "tests/support/temp_folder.h"
#include "train/optimizer.h"

namespace ghost {
namespace {

constexpr int64_t kPrecisionClasses = 5, kBatch = 32;
constexpr double kRate = 0.01;

// A small GhostNet that learns to tell made-up pictures: class k has its own mean colour.
class Small {
 public:
  explicit Small(const std::string& precision)
      : precision_(precision_of(precision, Device::cpu())),
        model_(make_model({.width = 0.5, .num_classes = kPrecisionClasses, .seed = 7})),
        optimizer_(*model_, {.name = "sgd", .learning_rate = kRate}, precision_.scales_loss) {}

  Variable loss(uint64_t step) {
    Tensor images = test::random_tensor({kBatch, 32, 32, 3}, {}, 10 + step);
    std::vector<int64_t> labels;
    for (int64_t i = 0; i < kBatch; ++i) {
      labels.push_back(i % kPrecisionClasses);
      const double shade = 0.6 * static_cast<double>(i % kPrecisionClasses) - 1.2;
      images.rows(i, 1).add_in_place(Tensor::full({1, 32, 32, 3}, shade));
    }
    const Variable logits = model_->forward(Variable(images.to(precision_.maps)));
    EXPECT_EQ(logits.dtype(), DType::kFloat32);
    return softmax_cross_entropy(logits, {Tensor::from(labels, {kBatch}), {}, {}});
  }

  double step(uint64_t number) {
    TapeScope tape;
    const Variable value = loss(number);
    tape.tape().backward(value, optimizer_.loss_gradient(1));
    optimizer_.step(kRate, 5);
    norms_ += optimizer_.take_norms();
    return value.value().item();
  }

  void take_state(const Small& other) {
    const std::vector<NamedTensor> ours = model_->state(), theirs = other.model_->state();
    for (size_t i = 0; i < ours.size(); ++i) ours[i].tensor.copy_from(theirs[i].tensor);
  }

  // All gradients as one vector, of the running statistics' network: nothing there multiplies rounding.
  std::vector<double> gradients() {
    model_->set_training(false);
    TapeScope tape;
    tape.tape().backward(loss(0), optimizer_.loss_gradient(1));
    std::vector<double> all;
    for (const NamedParameter& parameter : model_->parameters()) {
      const Tensor& gradient = parameter.variable.grad();
      EXPECT_EQ(gradient.dtype(), DType::kFloat32) << parameter.name;
      const double scale = precision_.scales_loss ? optimizer_.loss_scale().scale : 1;
      for (const double value : gradient.to_vector()) all.push_back(value / scale);
    }
    return all;
  }

  Optimizer& optimizer() { return optimizer_; }
  Module& module() { return *model_; }
  double norms() const { return norms_; }

 private:
  Precision precision_;
  std::unique_ptr<Classifier> model_;
  Optimizer optimizer_;
  double norms_ = 0;
};

double norm(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

// Most of what parts the gradients are units that rounding moves over their ReLU's kink.
TEST(Precision, GradientsInHalfAreNearThoseInFloat32) {
  Small trained("fp32");
  for (uint64_t step = 0; step < 20; ++step) trained.step(step);
  Small whole("fp32");
  whole.take_state(trained);
  const std::vector<double> exact = whole.gradients();
  for (const auto& [precision, limit] : {std::pair{"bf16", 0.3}, std::pair{"fp16", 0.12}}) {
    Small half(precision);
    half.take_state(trained);
    std::vector<double> apart = half.gradients();
    for (size_t i = 0; i < exact.size(); ++i) apart[i] -= exact[i];
    EXPECT_LE(norm(apart) / norm(exact), limit) << precision;
    EXPECT_GT(norm(apart), 0) << precision << " computed in float32";
  }
}

// Batch norms of few values multiply rounding from step to step, in float32 too.
TEST(Precision, TenLossesInHalfAreNearThoseInFloat32) {
  Small exact("fp32"), bf16("bf16"), fp16("fp16");
  double first = 0, last = 0;
  for (uint64_t step = 0; step < 10; ++step) {
    last = exact.step(step);
    EXPECT_NEAR(bf16.step(step), last, 0.2) << "bf16, step " << step;
    EXPECT_NEAR(fp16.step(step), last, 0.2) << "fp16, step " << step;
    if (step > 0) continue;  // later gradients are those of weights that have gone apart
    first = last;
    EXPECT_NEAR(fp16.norms() / exact.norms(), 1, 0.1) << "norms are of the loss without its scale";
  }
  EXPECT_LT(last, 0.8 * first);
  for (Small* half : {&bf16, &fp16})
    for (const NamedTensor& item : half->module().state()) EXPECT_EQ(item.tensor.dtype(), DType::kFloat32) << item.name;
}

TEST(Precision, AnOverflowSkipsTheStepAndHalvesTheScale) {
  Small small("fp16");
  small.step(0);
  const double scale = small.optimizer().loss_scale().scale;
  const int64_t skipped = small.optimizer().loss_scale().skipped_steps;
  std::vector<std::vector<double>> before;
  for (const NamedTensor& item : small.optimizer().state("")) before.push_back(item.tensor.to_vector());
  const std::vector<NamedParameter> parameters = small.module().parameters();
  std::vector<std::vector<double>> weights;
  for (const NamedParameter& parameter : parameters) weights.push_back(parameter.variable.value().to_vector());
  {
    TapeScope tape;
    tape.tape().backward(small.loss(1), Tensor::full({1}, 1e30));
    small.optimizer().step(kRate, 5);
    EXPECT_EQ(small.optimizer().take_norms(), 0) << "a skipped step enters no sum";
  }
  EXPECT_EQ(small.optimizer().loss_scale().scale, scale / 2);
  EXPECT_EQ(small.optimizer().loss_scale().skipped_steps, skipped + 1);
  for (size_t i = 0; i < parameters.size(); ++i)
    EXPECT_EQ(parameters[i].variable.value().to_vector(), weights[i]) << parameters[i].name;
  const std::vector<NamedTensor> after = small.optimizer().state("");
  for (size_t i = 1; i < after.size(); ++i) EXPECT_EQ(after[i].tensor.to_vector(), before[i]) << after[i].name;
  EXPECT_TRUE(std::isfinite(small.step(2)));
  EXPECT_EQ(small.optimizer().loss_scale().skipped_steps, skipped + 1);
}

TEST(Precision, TheLossScaleIsSavedWithTheMoments) {
  const test::TempFolder folder;
  const std::string path = folder.path("moments.safetensors");
  Small first("fp16"), second("fp16");
  for (uint64_t step = 0; step < 3; ++step) first.step(step);
  write_safetensors(path, first.optimizer().state("optimizer."), {});
  second.optimizer().restore(SafetensorsReader(path), "optimizer.", 3);
  const std::vector<NamedTensor> a = first.optimizer().state(""), b = second.optimizer().state("");
  ASSERT_EQ(a[0].name, "loss_scale");
  for (size_t i = 0; i < a.size(); ++i) test::expect_same_bits(b[i].tensor, a[i].tensor, a[i].name);
  EXPECT_EQ(second.optimizer().loss_scale().scale, first.optimizer().loss_scale().scale);
}

TEST(Precision, TheScaleGrowsAndHasAFloorAndACeiling) {
  double norm[kNormSize] = {};
  norm[kLossScale] = 4;
  const auto enter = [&](double value, int times = 1) {
    for (int i = 0; i < times; ++i) enter_norm(norm, value, 0);
  };
  enter(8, 1999);
  EXPECT_EQ(norm[kLossScale], 4);
  EXPECT_EQ(norm[kNorm], 2);
  EXPECT_EQ(norm[kClip], 0.25);
  enter(8);
  EXPECT_EQ(norm[kLossScale], 8);
  EXPECT_EQ(norm[kNormSum], 4000);
  enter(HUGE_VAL, 3);
  EXPECT_EQ(norm[kLossScale], 1);
  EXPECT_EQ(norm[kClip], 0);
  EXPECT_EQ(norm[kSkippedSteps], 3);
  EXPECT_EQ(norm[kNormSum], 4000);
  enter(HUGE_VAL);
  EXPECT_EQ(norm[kLossScale], 1);
  EXPECT_EQ(norm[kSkippedSteps], 3);
  EXPECT_FALSE(std::isfinite(norm[kNormSum])) << "at a scale of 1 the gradients themselves are not finite";
  norm[kLossScale] = kMostLossScale;
  norm[kNormSum] = 0;
  enter(1, 4000);
  EXPECT_EQ(norm[kLossScale], kMostLossScale);
}

TEST(Precision, ADetectorTrainsInHalf) {
  const auto losses = [](const std::string& name) {
    const Precision precision = precision_of(name, Device::cpu());
    const auto model = make_detector({.width = 0.5, .num_classes = 3, .seed = 5});
    Optimizer optimizer(*model, {.name = "sgd", .learning_rate = 0.01}, precision.scales_loss);
    YoloLossOptions options;
    for (const float side : {6, 9, 14, 20, 28, 36, 44, 52, 60}) options.anchors.push_back({side, side * 0.8f});
    options.num_classes = 3;
    const DetectionTargets targets{Tensor::from<float>({20, 24, 12, 10, 40, 30, 50, 40, 33, 33, 8, 6}, {3, 4}),
                                   Tensor::from<int64_t>({0, 2, 1}, {3}), Tensor::from<int64_t>({0, 2, 3}, {3})};
    std::vector<double> result;
    for (uint64_t step = 0; step < 4; ++step) {
      const Tensor images = test::random_tensor({2, 64, 64, 3}, {}, 30 + step);
      TapeScope tape;
      const Variable loss = yolo_loss(model->forward(Variable(images.to(precision.maps))), targets, options);
      tape.tape().backward(loss, optimizer.loss_gradient(1));
      optimizer.step(0.01, 10);
      result.push_back(loss.value().item());
    }
    return result;
  };
  const std::vector<double> exact = losses("fp32"), bf16 = losses("bf16"), fp16 = losses("fp16");
  for (size_t i = 0; i < exact.size(); ++i) {
    EXPECT_NEAR(bf16[i] / exact[i], 1, 0.15) << "bf16, step " << i;
    EXPECT_NEAR(fp16[i] / exact[i], 1, 0.15) << "fp16, step " << i;
  }
  EXPECT_NE(bf16[0], exact[0]);
}

TEST(Precision, Tf32IsForCudaOnly) {
  test::expect_error(ErrorKind::kUsage, "tf32 is a mode of NVIDIA's tensor cores, and cpu has none",
                     [] { precision_of("tf32", Device::cpu()); });
  const Precision precision = precision_of("tf32", Device::meta());
  EXPECT_TRUE(precision.tf32);
  EXPECT_EQ(precision.maps, DType::kFloat32);
  EXPECT_FALSE(Tf32Scope::active());
  {
    const Tf32Scope scope(true);
    EXPECT_TRUE(Tf32Scope::active());
    const Tf32Scope inner(false);
    EXPECT_FALSE(Tf32Scope::active());
  }
  EXPECT_FALSE(Tf32Scope::active());
}

}  // namespace
}  // namespace ghost
