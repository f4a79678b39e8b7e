// Steps on the meta device: figures that a person can add up, and what must hold for every network.
#include "train/gpu_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/allocator.h"
#include "core/out_of_memory.h"
#include "kernels/convolution_problem.h"
#include "kernels/pool.h"
#include "layers/conv.h"
#include "losses/cross_entropy.h"
#include "train/batch_advice.h"

namespace ghost {
namespace {

// A 3x3 convolution from 3 to 8 channels, the mean over the map, a linear layer.
class OneConvolution : public Classifier {
 public:
  OneConvolution()
      : Classifier({.name = "one", .num_classes = 5}),
        conv_({.in_channels = 3, .out_channels = 8, .kernel_size = 3}),
        head_(8, 5) {
    register_child("conv", conv_);
    register_child("head", head_);
  }
  std::string kind() const override { return "one"; }
  Variable forward(const Variable& images, const DropoutDraw&) override {
    return head_.forward(global_average_pool(conv_.forward(images)));
  }

 private:
  Conv2d conv_;
  Linear head_;
};

ModelCard card_of(int64_t classes, int64_t size, const std::string& task = "classify") {
  ModelCard card;
  card.input.size = size;
  card.classes.assign(static_cast<size_t>(classes), "class");
  card.task = task;
  return card;
}

GpuPlanOptions options_of(int64_t batch, bool training = true) {
  GpuPlanOptions options;
  options.training = training;
  options.batch_size = batch;
  options.gpu = load_gpu("h100", "fp32");
  return options;
}

const PlannedRow& row_of(const GpuPlan& plan, const std::string& name) {
  for (const PlannedRow& row : plan.rows)
    if (row.name == name) return row;
  throw std::runtime_error("no row " + name);
}

// x is 2x4x4x3 floats: 384 bytes; weight 8x3x3x3: 864; z 2x4x4x8: 1024.
TEST(GpuPlan, BytesOfOneConvolution) {
  OneConvolution model;
  const GpuPlan plan = plan_gpu(model, card_of(5, 4), options_of(2));
  const PlannedRow& conv = row_of(plan, "conv");
  EXPECT_EQ(conv.kind, "conv2d 3x3");
  EXPECT_EQ(conv.cudnn, 2);  // forward and weight gradient: pictures need no gradient
  EXPECT_EQ(conv.own, 2);    // the weight to cuDNN's layout, its gradient back
  EXPECT_EQ(conv.forward_bytes, 2 * 864 + (384 + 864 + 1024));
  EXPECT_EQ(conv.backward_bytes, 2 * 864 + (384 + 864 + 1024));
  EXPECT_EQ(conv.flops, 2 * (2 * 256 * 27));  // 256 outputs of 27 products

  const PlannedRow& pool = row_of(plan, "network");
  EXPECT_EQ(pool.kind, "pool_kernel");
  EXPECT_EQ(pool.forward_bytes, 1024 + 64);
  EXPECT_EQ(pool.backward_bytes, 1024 + 64);

  const PlannedRow& head = row_of(plan, "head");
  EXPECT_EQ(head.cublaslt, 3);
  EXPECT_EQ(head.own, 1);                                                // the bias gradient
  EXPECT_EQ(head.forward_bytes, 64 + 160 + 20 + 40);                     // x, weight, bias, y
  EXPECT_EQ(head.backward_bytes, (40 + 160 + 64) * 2 + (40 + 20) + 40);  // dx, dweight; dy, its sums

  const PlannedRow& optimizer = row_of(plan, "optimizer");  // the norm reads gradients; SGD moves 5 arrays
  EXPECT_EQ(optimizer.own, 2);
  EXPECT_EQ(optimizer.kind, "gradient_norm_kernel, for_each_element_kernel");
  EXPECT_EQ(optimizer.backward_bytes, (864 + 160 + 20) * (1 + 5) + (3 + 3 + 6) * 8);

  int64_t launches = 0, bytes = 0;
  double floor = 0;
  for (const PlannedRow& row : plan.rows) {
    launches += row.cudnn + row.cublaslt + row.own;
    bytes += row.forward_bytes + row.backward_bytes;
    floor += row.floor_ms;
  }
  EXPECT_EQ(plan.launches, launches);
  EXPECT_EQ(plan.bytes, bytes);
  EXPECT_DOUBLE_EQ(plan.floor_ms, floor);
  EXPECT_NEAR(pool.floor_ms, 1e3 * 2 * (1024 + 64) / 3.35e12, 1e-15);
  EXPECT_EQ(plan.fused_bytes, 3 * ((384 + 1024) + (64 + 40)));
}

// A block is 512 bytes at the least.
TEST(GpuPlan, MemoryOfOneConvolution) {
  OneConvolution model;
  GpuPlanOptions options = options_of(2);
  options.config.optimizer.name = "adamw";
  options.config.ema.decay = 0.99;
  const GpuPlan plan = plan_gpu(model, card_of(5, 4), options);
  EXPECT_EQ(plan.memory.weights, 1024 + 512 + 512);
  EXPECT_EQ(plan.memory.gradients, plan.memory.weights);
  EXPECT_EQ(plan.memory.moments, 2 * plan.memory.weights + 512);  // and the norm of the gradients
  EXPECT_EQ(plan.memory.average, plan.memory.weights);
  EXPECT_EQ(plan.memory.batch, 512 + 512);             // pictures, labels
  EXPECT_EQ(plan.memory.activations, 1024 + 4 * 512);  // z; mean, logits, their log sums, loss
  EXPECT_GE(plan.memory.held, plan.memory.peak);
  EXPECT_GE(plan.memory.peak, 5 * plan.memory.weights + plan.memory.batch + plan.memory.activations);
}

TEST(GpuPlan, InferenceKeepsNothing) {
  OneConvolution model;
  const GpuPlan plan = plan_gpu(model, card_of(5, 4), options_of(2, false));
  EXPECT_EQ(plan.memory.gradients + plan.memory.moments + plan.memory.average + plan.memory.activations, 0);
  EXPECT_EQ(plan.launches, 4);  // weight layout, convolution, mean, linear
  EXPECT_EQ(row_of(plan, "conv").backward_bytes, 0);
  EXPECT_EQ(plan.fused_bytes, (384 + 1024) + (64 + 40));
}

TEST(GpuPlan, AccumulationRepeatsAllButTheUpdate) {
  OneConvolution once, thrice;
  GpuPlanOptions options = options_of(2);
  const GpuPlan single = plan_gpu(once, card_of(5, 4), options);
  options.config.train.accumulate = 3;
  const GpuPlan triple = plan_gpu(thrice, card_of(5, 4), options);
  EXPECT_EQ(row_of(triple, "conv").cudnn, 6);
  EXPECT_EQ(row_of(triple, "optimizer").own, row_of(single, "optimizer").own);
  EXPECT_EQ(triple.fused_bytes, 3 * single.fused_bytes);
}

// What the tape keeps on the CPU it keeps here: blocks differ by an eighth and 512 bytes at the most.
TEST(GpuPlan, ActivationsAreTheTapes) {
  const ModelOptions tiny{.width = 0.5, .num_classes = 10};
  const std::unique_ptr<Classifier> real = make_model(tiny), planned = make_model(tiny);
  const Tensor images = Tensor::zeros({4, 64, 64, 3});
  const Tensor labels = Tensor::zeros({4}, {DType::kInt64, Device::cpu()});
  int64_t kept = 0;
  {
    const NoGradScope warm_up;  // the convolutions' scratch is taken once
    real->forward(Variable(images));
  }
  {
    const TapeScope tape;
    const int64_t before = memory_stats(Device::cpu()).in_use;
    const Variable loss = softmax_cross_entropy(real->forward(Variable(images)), {labels, {}, {}}, 0);
    kept = memory_stats(Device::cpu()).in_use - before;
  }
  const int64_t activations = plan_gpu(*planned, card_of(10, 64), options_of(4)).memory.activations;
  EXPECT_GE(activations, kept);
  EXPECT_LE(activations, kept + kept / 3 + 512 * 600);  // dense convolutions keep their input as it was read
}

TEST(GpuPlan, HalfMapsTakeAndMoveAboutHalf) {
  const auto plan_in = [](const std::string& precision) {
    GpuPlanOptions options = options_of(32);
    options.config.train.precision = precision;
    options.gpu.memory = int64_t{4} << 30;  // else the search for the largest batch ends first
    return plan_gpu(*make_model({.width = 0.5, .num_classes = 10}), card_of(10, 64), options);
  };
  const GpuPlan whole = plan_in("fp32"), tf32 = plan_in("tf32"), bf16 = plan_in("bf16"), fp16 = plan_in("fp16");
  EXPECT_EQ(tf32.bytes, whole.bytes);
  EXPECT_EQ(tf32.memory.activations, whole.memory.activations);
  EXPECT_EQ(bf16.memory.activations, fp16.memory.activations);
  EXPECT_LT(bf16.memory.activations, 0.7 * whole.memory.activations);  // half weights are among what is kept
  EXPECT_LT(bf16.bytes, 0.7 * whole.bytes);
  EXPECT_GT(bf16.bytes, 0.5 * whole.bytes);
  EXPECT_EQ(bf16.fused_bytes, whole.fused_bytes / 2);
  EXPECT_EQ(bf16.memory.weights, whole.memory.weights);
  EXPECT_GT(bf16.largest_batch, 1.5 * whole.largest_batch);
  EXPECT_EQ(bf16.host_waits, 0);
  EXPECT_GT(bf16.launches, whole.launches);  // the half copies of the weights
}

TEST(GpuPlan, MemoryGrowsWithTheBatchAndTheLargestBatchIsTheLargest) {
  GpuPlan last;
  for (const int64_t batch : {1, 2, 3, 8, 31, 64}) {
    const auto model = make_model(ModelOptions{.width = 0.25, .num_classes = 10});
    const GpuPlan plan = plan_gpu(*model, card_of(10, 32), options_of(batch));
    EXPECT_GT(plan.memory.peak, last.memory.peak) << batch;
    EXPECT_GT(plan.memory.activations, last.memory.activations) << batch;
    EXPECT_EQ(plan.memory.gradients + 512, plan.memory.moments);  // and the norm of the gradients
    last = plan;
  }
  GpuPlanOptions options = options_of(1);
  const auto held = [&](int64_t batch) {
    const auto model = make_model(ModelOptions{.width = 0.25, .num_classes = 10});
    options.batch_size = batch;
    const GpuPlan plan = plan_gpu(*model, card_of(10, 32), options);
    return std::pair{plan.memory.held + kWorkspaceLimit + kContextBytes, plan};
  };
  options.gpu.memory = kWorkspaceLimit + kContextBytes + (int64_t{64} << 20);
  const int64_t largest = held(1).second.largest_batch;
  ASSERT_GT(largest, 1);
  if (held(1).second.workspace_known) GTEST_SKIP() << "plans take workspaces of their own here";
  EXPECT_LE(held(largest).first, options.gpu.memory);
  EXPECT_GT(held(largest + 1).first, options.gpu.memory);
  EXPECT_EQ(held(largest).second.total, held(largest).first);
  options.gpu.memory = kContextBytes;
  EXPECT_EQ(held(1).second.largest_batch, 0);
}

// What a run that is out of memory says.
TEST(GpuPlan, AdviceNamesTheLargestBatchThatFits) {
  ModelCard card = card_of(10, 32);
  card.model.width = 0.25;
  Config config;
  config.train.batch_size = 100'000;
  const int64_t available = kWorkspaceLimit + (int64_t{64} << 20);
  GpuPlanOptions options = options_of(1);
  options.config = config;
  options.gpu.memory = available + kContextBytes;
  const auto model = make_model(card, 0);
  const int64_t largest = plan_gpu(*model, card, options).largest_batch;
  ASSERT_GT(largest, 1);
  EXPECT_EQ(largest_training_batch(card, config, available), largest);
  EXPECT_THAT(batch_advice(config, card, available), testing::HasSubstr(str("train.batch_size=", largest)));
  config.train.batch_size = 2;
  EXPECT_THAT(batch_advice(config, card, available), testing::HasSubstr("should fit"));
  EXPECT_THAT(batch_advice(config, card, kWorkspaceLimit), testing::HasSubstr("Not even one picture of 32x32"));

  const auto run_out = [&]() -> int { throw OutOfMemory("out of memory on cuda:0", available); };
  try {
    with_batch_advice(config, card, run_out);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    EXPECT_THAT(error.message(), testing::StartsWith("out of memory on cuda:0\nA batch of "));
  }
  EXPECT_EQ(with_batch_advice(config, card, [] { return 7; }), 7);
}

TEST(GpuPlan, EveryClassifier) {
  for (const std::string& name : model_names()) {
    for (const bool training : {true, false}) {
      const auto model = make_model(ModelOptions{.name = name, .num_classes = 10});
      const int64_t parameters = model->parameter_count();
      const GpuPlan plan = plan_gpu(*model, card_of(10, 64), options_of(2, training));
      EXPECT_GE(plan.memory.weights, 4 * parameters) << name;
      EXPECT_GT(plan.launches, 50) << name;
      EXPECT_GT(plan.bytes, plan.fused_bytes) << name;
      EXPECT_GT(plan.largest_batch, 100) << name;
      EXPECT_EQ(plan.no_plans.empty(), plan.workspace_known);
    }
  }
}

TEST(GpuPlan, EveryDetector) {
  GpuPlanOptions options = options_of(1);
  options.config = default_config("detect");
  options.gpu.memory = 3000000000;  // a short search for the largest batch
  for (const std::string& name : detector_names()) {
    const auto model = make_detector(DetectorOptions{.name = name});
    const GpuPlan plan = plan_gpu(*model, card_of(20, 64, "detect"), options);
    EXPECT_GT(plan.launches, 500) << name;
    EXPECT_GT(plan.largest_batch, 10) << name;
    EXPECT_THAT(row_of(plan, "loss").kind, testing::HasSubstr("yolo_objectness_kernel")) << name;
  }
}

}  // namespace
}  // namespace ghost
