// The meta device names the kernels that the CUDA code starts: each op's two twins side by side.
#include <functional>
#include <map>

#include "core/meta.h"
#include "core/tensor_ops.h"
#include "kernels/add.h"
#include "kernels/batch_norm.h"
#include "kernels/channels_meta.h"
#include "kernels/cuda_channels.h"
#include "kernels/depthwise_conv2d.h"
#include "kernels/dropout.h"
#include "kernels/optimizer_step.h"
#include "kernels/pool.h"
#include "kernels/pyramid_pool.h"
#include "kernels/squeeze_excite.h"
#include "kernels/upsample.h"
#include "losses/cross_entropy.h"
#include "losses/yolo_loss_kernels.h"
#include "tests/simt/compare.h"

namespace ghost {
namespace {

using Launches = std::map<std::string, int64_t>;  // kernel name -> launches

Launches simt_launches() {
  Launches launches;
  for (const simt::KernelRun& kernel : simt::kernels_run()) launches[kernel.name] += kernel.launches;
  return launches;
}

Launches started_by(const std::function<void()>& body) {
  const Launches before = simt_launches();
  body();
  Launches launches = simt_launches();
  for (const auto& [name, count] : before)
    if ((launches[name] -= count) == 0) launches.erase(name);
  return launches;
}

Launches counted_by(const std::function<void()>& body) {
  const KernelCount count;
  body();
  Launches launches;
  for (const CountedKernel& kernel : count.kernels())
    if (kernel.run_by == RunBy::kOwnKernel) ++launches[kernel.name];
  return launches;
}

// What both twins get: tensors of one device.
struct Inputs {
  Device device;
  DType maps = DType::kFloat32;
  Tensor map(const Shape& shape) const { return Tensor::full(shape, 0.5, {maps, device}); }
  Tensor numbers(const Shape& shape) const { return Tensor::full(shape, 0.5, {DType::kFloat32, device}); }
  // A view in a wider map, of 16-byte aligned pixels where its channels allow it.
  Tensor slice(Shape shape) const {
    const int64_t channels = shape[-1];
    shape.set(-1, 2 * channels);
    return map(shape).channels(channels, channels);
  }
  Tensor whole(const Shape& shape, DType dtype) const { return Tensor::zeros(shape, {dtype, device}); }
  ScaleShift scale_shift(int64_t c) const {
    return {numbers({c}), numbers({c}), 1e-5, 0.1, 9, numbers({c}), numbers({c}), numbers({c}), numbers({c})};
  }
  Epilogue epilogue(int64_t c) const { return {numbers({c}), numbers({c}), Activation::kRelu, {}}; }
  RawGradient gradient(const Shape& shape) const {
    return {map(shape), map(shape), epilogue(shape[-1]), numbers({3, shape[-1]})};
  }
};

// The same body in both namespaces; `call` takes (inputs) and names ghost::simt's or ghost::meta's functions.
void expect_same(const std::string& what, const std::function<void(const Inputs&)>& on_simt,
                 const std::function<void(const Inputs&)>& on_meta) {
  for (const DType maps : {DType::kFloat32, DType::kFloat16}) {
    const Inputs host{Device::cpu(), maps}, nowhere{Device::meta(), maps};
    const Launches started = started_by([&] { on_simt(host); }), counted = counted_by([&] { on_meta(nowhere); });
    Launches fills;  // filling the inputs is counted on the meta device only
    for (const auto& [name, count] : counted)
      if (name != "tensor_fill_kernel") fills[name] = count;
    EXPECT_FALSE(started.empty()) << what;
    EXPECT_EQ(fills, started) << what << " of " << maps;
  }
}

#define EXPECT_TWINS(what, ...) \
  expect_same(                  \
      what,                     \
      [&](const Inputs& in) {   \
        using namespace simt;   \
        __VA_ARGS__;            \
      },                        \
      [&](const Inputs& in) {   \
        using namespace meta;   \
        __VA_ARGS__;            \
      })

const Shape kShapes[] = {{2, 5, 7, 16}, {1, 3, 3, 19}, {3, 1, 1, 8}};

TEST(MetaTwins, Features) {
  for (const Shape& s : kShapes) {
    const int64_t c = s[-1];
    EXPECT_TWINS(str("epilogue ", s), epilogue_forward(in.map(s), in.epilogue(c), in.slice(s)));
    EXPECT_TWINS(str("raw_gradient ", s), raw_gradient(in.gradient(s), in.map(s)));
    EXPECT_TWINS(str("add ", s), add_forward(in.map(s), in.epilogue(c), in.slice(s), {}, in.map(s)));
    EXPECT_TWINS(str("dropout ", s), dropout_apply(in.numbers(s), {.p = 0.5}, in.numbers(s)));
    EXPECT_TWINS(str("tensor ", s), tensor_copy(in.map(s), in.slice(s)); tensor_add(in.map(s), in.slice(s));
                 tensor_convert(in.numbers(s), in.whole(s, DType::kBFloat16)));
  }
}

TEST(MetaTwins, BatchNorm) {
  for (const Shape& s : kShapes) {
    const int64_t c = s[-1];
    EXPECT_TWINS(str("moments ", s), batch_norm_moments(in.slice(s), {in.numbers({c}), in.numbers({c})}));
    EXPECT_TWINS(str("scale_shift ", s), batch_norm_scale_shift({in.numbers({c}), in.numbers({c})}, in.scale_shift(c)));
    EXPECT_TWINS(str("moments, then ", s), const ScaleShift to = in.scale_shift(c);
                 batch_norm_moments(in.map(s), {in.numbers({c}), in.numbers({c}), &to}));
    EXPECT_TWINS(str("backward ", s),
                 batch_norm_backward(in.gradient(s), {in.numbers({c}), in.numbers({c})}, in.numbers({c}), 1e-5, true,
                                     in.numbers({c}), in.numbers({c})));
  }
}

TEST(MetaTwins, Channels) {
  for (const Shape& s : kShapes) {
    EXPECT_TWINS(str("bias ", s), add_channel_bias(in.numbers({s[-1]}), in.slice(s)));
    EXPECT_TWINS(str("sums ", s), channel_sums(in.slice(s), in.numbers({s[-1]})));
    EXPECT_TWINS(str("weights ", s), weight_to_channels_last(in.map(s), in.map(s)));
    EXPECT_TWINS(str("dweights ", s), weight_from_channels_last(in.map(s), in.numbers(s)));
  }
}

TEST(MetaTwins, Depthwise) {
  struct Case {
    int kernel, stride;
    int64_t channels;
  };
  for (const Case& c : {Case{3, 1, 16}, Case{5, 2, 8}, Case{3, 2, 19}, Case{7, 1, 8}}) {
    const Shape x{2, 9, 9, c.channels}, z{2, (9 + c.stride - 1) / c.stride, (9 + c.stride - 1) / c.stride, c.channels};
    const Conv2dProblem problem{c.stride, static_cast<int>(c.channels), Padding::same_all(c.kernel / 2)};
    const std::string what = str("depthwise ", c.kernel, '/', c.stride, ", ", c.channels, " channels");
    EXPECT_TWINS(what, {
      const ChannelMoments moments{in.numbers({c.channels}), in.numbers({c.channels})};
      const Tensor weight = in.numbers({c.channels, 1, c.kernel, c.kernel});
      depthwise_conv2d_forward(in.slice(x), in.epilogue(c.channels), weight, {}, problem, in.map(z), &moments);
    });
    EXPECT_TWINS(what + " backward", {
      const Tensor weight = in.numbers({c.channels, 1, c.kernel, c.kernel}), dbias = in.numbers({c.channels});
      Tensor dx = in.slice(x), dweight = in.numbers(weight.shape());
      depthwise_conv2d_backward(in.slice(x), in.epilogue(c.channels), weight, in.gradient(z), problem,
                                {&dx, true, &dweight, nullptr});
    });
  }
}

TEST(MetaTwins, Pools) {
  const Shape s{2, 4, 6, 8};
  EXPECT_TWINS("pool", global_average_pool_forward(in.map(s), in.epilogue(8), in.numbers({2, 1, 1, 8})));
  EXPECT_TWINS("pool backward", global_average_pool_backward(in.numbers({2, 1, 1, 8}), in.slice(s), true));
  EXPECT_TWINS("upsample", upsample2x_forward(in.map(s), in.slice({2, 8, 12, 8})));
  EXPECT_TWINS("upsample backward", upsample2x_backward(in.map({2, 8, 12, 8}), in.map(s), false));
  EXPECT_TWINS("pyramid", pyramid_pool_forward(in.map({2, 4, 6, 24}), {5, 3}, in.whole({2, 4, 6, 16}, DType::kInt32)));
  EXPECT_TWINS("pyramid backward",
               pyramid_pool_backward(in.map({2, 4, 6, 24}), in.whole({2, 4, 6, 16}, DType::kInt32), in.map(s), false));
}

TEST(MetaTwins, SqueezeExcite) {
  const Shape s{3, 4, 5, 8};
  const auto weights = [](const Inputs& in) {
    return SqueezeExciteTensors{in.numbers({4, 8, 1, 1}), in.numbers({4}), in.numbers({8, 4, 1, 1}), in.numbers({8})};
  };
  const auto saved = [](const Inputs& in) {
    return SqueezeExciteSaved{in.numbers({3, 8}), in.numbers({3, 4}), in.numbers({3, 8})};
  };
  EXPECT_TWINS("forward", squeeze_excite_forward(in.map(s), in.epilogue(8), weights(in), Activation::kHardSigmoid,
                                                 saved(in), in.numbers({3, 8})));
  for (const bool with_dx : {true, false})
    EXPECT_TWINS("backward", squeeze_excite_backward(in.map(s), in.map(s), in.epilogue(8), weights(in),
                                                     Activation::kHardSigmoid, saved(in), in.numbers({3, 8}),
                                                     weights(in), with_dx ? in.map(s) : Tensor(), false));
}

TEST(MetaTwins, Optimizer) {
  for (const size_t count : {size_t{3}, size_t{171}}) {  // one table, and more than one
    const auto slots = [&](const Inputs& in, bool momentum) {
      std::vector<ParameterSlot> made;
      for (size_t i = 0; i < count; ++i)
        made.push_back({in.numbers({5}), in.numbers({5}), momentum ? in.numbers({5}) : Tensor(), in.numbers({5}), 0.0});
      return made;
    };
    const auto tensors = [&](const Inputs& in) { return std::vector<Tensor>(count, in.numbers({5})); };
    const std::string what = str(count, " tensors");
    EXPECT_TWINS("sgd " + what, sgd_step(slots(in, true), {}));
    EXPECT_TWINS("plain sgd " + what, sgd_step(slots(in, false), {.momentum = 0}));
    EXPECT_TWINS("adam " + what, adam_step(slots(in, true), {}));
    EXPECT_TWINS("ema " + what, ema_step(tensors(in), tensors(in), 0.9));
    EXPECT_TWINS("loss gradient", scaled_loss_gradient(in.whole({kNormSize}, DType::kFloat64), 0.5, in.numbers({1})));
    EXPECT_TWINS("norm " + what, gradient_norm(tensors(in), 1, in.whole({kNormSize}, DType::kFloat64)));
  }
}

TEST(MetaTwins, CrossEntropy) {
  const auto targets = [](const Inputs& in) {
    return ClassTargets{in.whole({4}, DType::kInt64), in.whole({4}, DType::kInt64), in.numbers({4})};
  };
  EXPECT_TWINS("forward",
               softmax_cross_entropy_forward(in.numbers({4, 7}), targets(in), 0.1, in.numbers({4}), in.numbers({1})));
  EXPECT_TWINS("backward", softmax_cross_entropy_backward(in.numbers({4, 7}), targets(in), 0.1, in.numbers({4}),
                                                          in.numbers({1}), in.numbers({4, 7})));
}

// One box in each of two pictures, which two of the three maps match.
YoloLossState yolo_state(const Inputs& in) {
  YoloLossOptions options;
  options.num_classes = 3;
  options.anchors = {{12, 16}, {19, 36}, {40, 28}, {36, 75}, {76, 55}, {72, 146}, {142, 110}, {192, 243}, {459, 401}};
  YoloGrid grid{2, {2, 4, 8}, {2, 4, 8}};
  std::vector<Tensor> maps;
  for (size_t l = 0; l < kYoloMaps; ++l) maps.push_back(in.numbers({2, grid.h[l], grid.w[l], 24}));
  YoloLossState state(maps, options);
  const std::vector<float> boxes{20, 20, 12, 16, 32, 32, 60, 60};
  const DetectionTargets targets{Tensor::from(boxes, {2, 4}), Tensor::from(std::vector<int64_t>{0, 2}, {2}),
                                 Tensor::from(std::vector<int64_t>{0, 1, 2}, {3})};
  state.targets = assign_yolo_targets(targets, grid, options, maps[0].options());
  return state;
}

TEST(MetaTwins, YoloLoss) {
  EXPECT_TWINS("forward", yolo_loss_forward(yolo_state(in), in.numbers({1})));
  EXPECT_TWINS("backward", {
    const YoloLossState state = yolo_state(in);
    std::vector<Tensor> dmaps;
    for (const Tensor& map : state.maps) dmaps.push_back(in.numbers(map.shape()));
    yolo_loss_backward(state, in.numbers({1}), dmaps);
  });
}

}  // namespace
}  // namespace ghost
