#include <gtest/gtest.h>

#include "kernels/cuda_channels.h"
#include "tests/simt/feature_inputs.h"

namespace ghost {
namespace {

TEST(ChannelsSimt, AddBias) {
  for (const simt::MapCase& map : simt::kMaps) {
    const int64_t c = map.shape[-1];
    const simt::Surrounded old = simt::random_map(map.shape, {.seed = 1});
    const simt::Surrounded bias = simt::random_map({c}, {.seed = 2, .before = 1});
    const Tensor expected = simt::to_double(old);
    for (int64_t i = 0; i < expected.numel(); ++i)
      expected.data<double>()[i] += static_cast<double>(bias.view().data<float>()[i % c]);
    simt::for_each_order([&] {
      const simt::Surrounded z = simt::copy_map(old, map.pitch.before, map.pitch.after);
      simt::add_channel_bias(bias, z);
      simt::expect_close({"add_channel_bias", describe(map), 1}, z, expected, simt::kLimit);
    });
  }
}

TEST(ChannelsSimt, Sums) {
  std::vector<simt::MapCase> maps(std::begin(simt::kMaps), std::end(simt::kMaps));
  maps.push_back({{1, 10, 70, 256}, {}});  // more blocks of pixels than the second pass has rows
  for (const simt::MapCase& map : maps) {
    const int64_t c = map.shape[-1];
    const simt::Surrounded dz =
        simt::random_map(map.shape, {.seed = 3, .before = map.pitch.before, .after = map.pitch.after});
    const Tensor values = simt::to_double(dz), expected = Tensor::zeros({c}, {DType::kFloat64, Device::cpu()});
    for (int64_t i = 0; i < values.numel(); ++i) expected.data<double>()[i % c] += values.data<double>()[i];
    simt::for_each_order([&] {
      const simt::Surrounded sums = simt::empty_map({c});
      simt::channel_sums(dz, sums);
      simt::expect_close({"channel_sums", describe(map), 3}, sums, expected, simt::kLimit);
    });
  }
  const simt::Surrounded none = simt::empty_map({3});
  simt::channel_sums(Tensor({0, 2, 2, 3}), none);
  simt::expect_close({"channel_sums", "no pictures", 0}, none, Tensor::zeros({3}, {DType::kFloat64, Device::cpu()}), 0);
}

TEST(ChannelsSimt, WeightLayoutThereAndBack) {
  for (const Shape& shape : {Shape{5, 7, 3, 3}, Shape{1, 4, 2, 5}, Shape{40, 16, 3, 1}, Shape{3, 1, 5, 5}}) {
    const int64_t inputs = shape[1], taps = shape[2] * shape[3];
    const simt::Surrounded weight = simt::random_map(shape, {.seed = 4});
    const Tensor expected(shape, {DType::kFloat64, Device::cpu()});
    const Tensor dense = weight.view().clone();
    for (int64_t o = 0; o < shape[0]; ++o)
      for (int64_t i = 0; i < inputs; ++i)
        for (int64_t t = 0; t < taps; ++t)
          expected.data<double>()[(o * taps + t) * inputs + i] =
              static_cast<double>(dense.data<float>()[(o * inputs + i) * taps + t]);
    simt::for_each_order([&] {
      const simt::Surrounded last = simt::empty_map(shape), back = simt::empty_map(shape);
      simt::weight_to_channels_last(weight, last);
      simt::expect_close({"weight layout", str(shape), 4}, last, expected, 0);
      simt::weight_from_channels_last(last, back);
      simt::expect_close({"weight layout back", str(shape), 4}, back, simt::to_double(dense), 0);
    });
  }
}

}  // namespace
}  // namespace ghost
