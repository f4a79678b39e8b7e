#include "kernels/activation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/conv2d.h"
#include "kernels/depthwise_conv2d.h"
#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"

namespace ghost {
namespace {

// A diverged network must not look healthy: no activation may turn NaN into a number, in vectors or in their tails.
TEST(Activation, NanStaysNan) {
  constexpr int64_t kChannels = 37;
  for (const Activation activation : test::kActivations)
    for (int64_t place = 0; place < kChannels; ++place) {
      Tensor x = Tensor::full({1, 1, 1, kChannels}, 0.5);
      x.data<float>()[place] = std::numeric_limits<float>::quiet_NaN();
      const std::vector<double> plain = activate(Variable(x), activation).value().to_vector();
      const std::vector<double> epilogue =
          materialize(Feature(Variable(x), {{}, {}, activation, {}})).value().to_vector();
      for (int64_t c = 0; c < kChannels; ++c) {
        ASSERT_EQ(std::isnan(plain[static_cast<size_t>(c)]), c == place) << static_cast<int>(activation) << ' ' << c;
        ASSERT_EQ(std::isnan(epilogue[static_cast<size_t>(c)]), c == place) << static_cast<int>(activation) << ' ' << c;
      }
    }
}

TEST(Activation, NanReachesAConvolutionsOutputAndStatistics) {
  constexpr int64_t kChannels = 20;
  Tensor x = Tensor::full({1, 3, 3, kChannels}, 0.5);
  x.data<float>()[4 * kChannels + 7] = std::numeric_limits<float>::quiet_NaN();
  const Epilogue epilogue{{}, {}, Activation::kRelu, {}};
  const Tensor dense_z({1, 3, 3, kChannels}), depthwise_z({1, 3, 3, kChannels});
  const ChannelMoments dense{Tensor({kChannels}), Tensor({kChannels})},
      depthwise{Tensor({kChannels}), Tensor({kChannels})};
  cpu::conv2d_forward(x, epilogue, Tensor::full({kChannels, kChannels, 1, 1}, 0.1), {}, {}, dense_z, &dense);
  cpu::depthwise_conv2d_forward(x, epilogue, Tensor::full({kChannels, 1, 3, 3}, 0.1), {},
                                {.groups = kChannels, .padding = Padding::same_all(1)}, depthwise_z, &depthwise);
  EXPECT_TRUE(std::isnan(dense.mean.to_vector()[3]));
  EXPECT_TRUE(std::isnan(dense.variance.to_vector()[3]));
  EXPECT_TRUE(std::isnan(depthwise.mean.to_vector()[7]));
  EXPECT_TRUE(std::isnan(depthwise.variance.to_vector()[7]));
  EXPECT_FALSE(std::isnan(depthwise.mean.to_vector()[6]));
}

}  // namespace
}  // namespace ghost
