#include "core/tensor.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"

namespace ghost {
namespace {

using test::random_tensor;

Tensor counting(const Shape& shape) {
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  std::iota(values.begin(), values.end(), 0.0f);
  return Tensor::from(values, shape);
}

TEST(Tensor, Basics) {
  const Tensor undefined;
  EXPECT_FALSE(undefined.defined());
  const Tensor x = counting({2, 3, 4, 5});
  EXPECT_TRUE(x.defined());
  EXPECT_EQ(x.numel(), 120);
  EXPECT_EQ(x.pixels(), 24);
  EXPECT_EQ(x.channels(), 5);
  EXPECT_TRUE(x.contiguous());
  EXPECT_EQ(Tensor::full({3}, 2.5).to_vector(), (std::vector<double>{2.5, 2.5, 2.5}));
  EXPECT_EQ(Tensor::full({1}, 7, {DType::kInt64, {}}).item(), 7);
  EXPECT_TRUE(Tensor({0, 3}).empty());
  EXPECT_TRUE(Tensor({0, 3}).defined());
  EXPECT_EQ(Tensor({2, 0}).pixels(), 0);
}

TEST(Tensor, ChannelsAreAView) {
  const Tensor x = counting({2, 1, 2, 5}), part = x.channels(1, 3);
  EXPECT_EQ(part.shape(), (Shape{2, 1, 2, 3}));
  EXPECT_EQ(part.pitch(), 5);
  EXPECT_FALSE(part.contiguous());
  EXPECT_EQ(part.to_vector(), (std::vector<double>{1, 2, 3, 6, 7, 8, 11, 12, 13, 16, 17, 18}));
  EXPECT_EQ(part.channels(2, 1).to_vector(), (std::vector<double>{3, 8, 13, 18}));
  part.fill(0);
  EXPECT_EQ(x.rows(0, 1).to_vector(), (std::vector<double>{0, 0, 0, 0, 4, 5, 0, 0, 0, 9}));
  EXPECT_EQ(x.channels(5, 0).numel(), 0);
}

TEST(Tensor, RowsAreAView) {
  const Tensor x = counting({4, 2, 1, 3});
  EXPECT_EQ(x.rows(1, 2).to_vector(), (std::vector<double>{6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}));
  EXPECT_EQ(x.channels(1, 1).rows(3, 1).to_vector(), (std::vector<double>{19, 22}));
  EXPECT_EQ(counting({5}).rows(2, 3).to_vector(), (std::vector<double>{2, 3, 4}));
  EXPECT_EQ(x.rows(4, 0).numel(), 0);
  EXPECT_EQ(x.rows(1, 1).storage(), x.storage());
}

TEST(Tensor, Reshape) {
  const Tensor x = counting({2, 1, 1, 6});
  EXPECT_EQ(x.reshape({3, 4}).rows(1, 1).to_vector(), (std::vector<double>{4, 5, 6, 7}));
  EXPECT_EQ(x.channels(1, 2).rows(0, 1).reshape({2}).to_vector(), (std::vector<double>{1, 2}));
  test::expect_error(ErrorKind::kUsage, "[5]", [&] { x.reshape({5}); });
  test::expect_error(ErrorKind::kUsage, "channel view", [&] { x.channels(0, 3).reshape({6}); });
}

TEST(Tensor, RefusesWhatDoesNotLieInside) {
  const Tensor x = counting({2, 3});
  test::expect_error(ErrorKind::kUsage, "channels [2, 4)", [&] { x.channels(2, 2); });
  test::expect_error(ErrorKind::kUsage, "channels [-1, 0)", [&] { x.channels(-1, 1); });
  test::expect_error(ErrorKind::kUsage, "rows [1, 3)", [&] { x.rows(1, 2); });
  test::expect_error(ErrorKind::kUsage, "one element", [&] { x.item(); });
  test::expect_error(ErrorKind::kInternal, "read as", [&] { x.data<double>(); });
  test::expect_error(ErrorKind::kUsage, "5 values", [] { Tensor::from(std::vector<float>(5), {2, 3}); });
}

TEST(Tensor, CopiesAndAddsAcrossPitches) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const Tensor source = random_tensor({3, 5, 7, 9}, {dtype, {}}, 1),
                 addend = random_tensor({3, 5, 7, 9}, {dtype, {}}, 2);
    const test::GuardedTensor from(source), to({3, 5, 7, 9}, {dtype, {}}), more(addend);
    const int64_t before = copied_bytes();
    to.view().copy_from(from.view());
    EXPECT_EQ(copied_bytes() - before, source.numel() * size_of(dtype));
    test::expect_same_bits(to.view(), source);
    to.view().add_in_place(more.view());
    std::vector<double> want = source.to_vector();
    const std::vector<double> added = addend.to_vector();
    for (size_t i = 0; i < want.size(); ++i) want[i] += added[i];
    test::expect_close(to.view().to_vector(), want, 1e-6);
    to.expect_guard_untouched("copy, add");
    const Tensor clone = from.view().clone();
    EXPECT_TRUE(clone.contiguous());
    test::expect_same_bits(clone, source);
  }
}

// Sizes around the parts that the work is cut into, with one long row, many short ones, and rows of one element.
TEST(Tensor, FillsCopiesAndAddsLargeOnes) {
  for (const Shape& shape : {Shape{300001}, Shape{100003, 3}, Shape{90001, 1, 1, 1}, Shape{3, 100001}}) {
    const Tensor x = random_tensor(shape, {}, 1), y = Tensor::full(shape, 2);
    y.add_in_place(x);
    std::vector<double> want = x.to_vector();
    for (double& value : want) value = static_cast<float>(value + 2);
    EXPECT_EQ(y.to_vector(), want) << shape;
    test::expect_same_bits(x.clone(), x);
  }
}

TEST(Tensor, ConvertsDTypes) {
  const std::vector<double> values{0, 1, -2.5, 0.333251953125, 1024};
  const Tensor x = Tensor::from(values, {5});
  for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kFloat16})
    EXPECT_EQ(x.to(dtype).to_vector(), values) << dtype;
  EXPECT_EQ(x.to(DType::kBFloat16).to_vector()[3], 0.333984375);
  EXPECT_EQ(x.to(DType::kBFloat16).to(DType::kFloat32).to_vector()[4], 1024);
  EXPECT_EQ(Tensor::from(std::vector<float>{1, 2, 3, 4}, {2, 2}).channels(1, 1).to(DType::kFloat64).to_vector(),
            (std::vector<double>{2, 4}));
  EXPECT_EQ(x.to(DType::kFloat64).storage(), x.storage());  // the same dtype: a view
}

TEST(Tensor, RefusesOtherShapesAndTypes) {
  const Tensor x = counting({2, 3});
  test::expect_error(ErrorKind::kUsage, "[3, 2]", [&] { x.copy_from(counting({3, 2})); });
  test::expect_error(ErrorKind::kUsage, "float64", [&] {
    x.add_in_place(Tensor::zeros({2, 3}, {DType::kFloat64, {}}));
  });
  test::expect_error(ErrorKind::kUsage, "not negative", [] { Shape{2, -1}; });
  test::expect_error(ErrorKind::kUsage, "at most 4", [] { Shape{1, 1, 1, 1, 1}; });
}

TEST(Tensor, HalfTensorsAreFilledAndAddedInFloat32) {
  for (const DType half : {DType::kBFloat16, DType::kFloat16}) {
    const Tensor wide = Tensor::full({2, 5}, 0.3, {half, {}}), x = wide.channels(1, 3);
    const double third = x.to_vector()[0];  // 0.3 rounded
    EXPECT_NEAR(third, 0.3, half == DType::kBFloat16 ? 0x1p-10 : 0x1p-13);
    x.add_in_place(Tensor::full({2, 3}, 1, {half, {}}));
    const double sum = Tensor::full({1}, third + 1, {half, {}}).item();
    for (const double value : x.to_vector()) EXPECT_EQ(value, sum);
    EXPECT_EQ(wide.to_vector()[0], third);
    EXPECT_EQ(wide.to_vector()[4], third);
  }
}

TEST(Device, Parses) {
  EXPECT_EQ(Device::parse("cpu"), Device::cpu());
  EXPECT_EQ(Device::parse("auto").is_cuda(), cuda_unavailable_reason().empty());
  EXPECT_THROW(Device::parse("gpu"), Error);
  if (!cuda_unavailable_reason().empty())
    test::expect_error(ErrorKind::kDevice, "cuda:0", [] { Device::parse("cuda"); });
}

}  // namespace
}  // namespace ghost
