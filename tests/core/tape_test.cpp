#include "core/tape.h"

#include <gtest/gtest.h>

#include "core/allocator.h"
#include "tests/support/expect.h"
#include "tests/support/random_tensor.h"

namespace ghost {
namespace {

const TensorOptions kDouble{DType::kFloat64, {}};

Variable number(double value, bool requires_grad = true) {
  return Variable(Tensor::full({1}, value, kDouble), requires_grad);
}
Tensor full(const Shape& shape, double value) { return Tensor::full(shape, value, kDouble); }

// y = factor * x: a fresh gradient.
Variable scaled(const Variable& x, double factor) {
  const Tensor y = full(x.shape(), 0);
  for (int64_t i = 0; i < y.numel(); ++i) y.data<double>()[i] = factor * x.value().data<double>()[i];
  return record("scaled", {x}, y, [factor](const Tensor& dy, Gradients& grads) {
    const Tensor dx = full(dy.shape(), 0);
    for (int64_t i = 0; i < dx.numel(); ++i) dx.data<double>()[i] = factor * dy.to_vector()[static_cast<size_t>(i)];
    grads.set(0, dx);
  });
}

// The same through target(): added in place where a gradient is there.
Variable scaled_in_place(const Variable& x, double factor) {
  const Tensor y = x.value().clone();
  for (int64_t i = 0; i < y.numel(); ++i) y.data<double>()[i] *= factor;
  return record("scaled_in_place", {x}, y, [factor](const Tensor& dy, Gradients& grads) {
    const Gradients::Target dx = grads.target(0);
    if (!dx.accumulate) dx.out.fill(0);
    const Tensor part = dy.clone();
    for (int64_t i = 0; i < part.numel(); ++i) part.data<double>()[i] *= factor;
    dx.out.add_in_place(part);
  });
}

// The same through target_with_addend(): what is there already may lie elsewhere.
Variable scaled_beside(const Variable& x, double factor) {
  const Tensor y = x.value().clone();
  for (int64_t i = 0; i < y.numel(); ++i) y.data<double>()[i] *= factor;
  return record("scaled_beside", {x}, y, [factor](const Tensor& dy, Gradients& grads) {
    const Gradients::Target dx = grads.target_with_addend(0);
    const Tensor start = dx.addend.defined() ? dx.addend : dx.out;
    for (int64_t i = 0; i < dy.numel(); ++i)
      dx.out.data<double>()[i] = (dx.accumulate ? start.data<double>()[i] : 0) + factor * dy.data<double>()[i];
  });
}

Variable sum_of(const Variable& a, const Variable& b) {
  const Tensor y = a.value().clone();
  y.add_in_place(b.value());
  return record("sum_of", {a, b}, y, [](const Tensor& dy, Gradients& grads) {
    grads.share(0, dy);
    grads.share(1, dy);
  });
}

// Overwrites dy where it may, and hands it on.
Variable doubled_on_dy(const Variable& x, bool* overwrote) {
  const Tensor y = x.value().clone();
  y.add_in_place(x.value());
  return record("doubled_on_dy", {x}, y, [overwrote](const Tensor& dy, Gradients& grads) {
    *overwrote = grads.may_overwrite_dy();
    const Tensor dx = *overwrote ? dy : dy.clone();
    dx.add_in_place(dx.clone());
    grads.set(0, dx);
  });
}

TEST(Tape, Diamond) {
  const Variable x = number(3);
  TapeScope tape;
  const Variable a = scaled(x, 2), b = scaled_in_place(x, 5), y = sum_of(a, b), z = sum_of(y, a);
  EXPECT_EQ(z.value().item(), 27);
  tape.backward(z);
  EXPECT_EQ(x.grad().item(), 9);  // 2 + 5 + 2
  EXPECT_FALSE(a.grad().defined());
  EXPECT_EQ(tape.tape().size(), 0u);
}

// The residual connection: both branches get the same dy. The one that adds in place must not change what the other
// sees.
TEST(Tape, AddingInPlaceLeavesTheOtherBranchAlone) {
  for (const auto& [branch_first, beside] : {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
    const Variable x(test::random_tensor({2, 2, 2, 3}, kDouble, 1), true);
    const Variable w(test::random_tensor({2, 2, 2, 3}, kDouble, 2), true);
    TapeScope tape;
    const Variable trunk = scaled(x, 1), other = scaled(w, 1);
    const Variable branch = beside ? scaled_beside(trunk, 10) : scaled_in_place(trunk, 10);
    const Variable inner = branch_first ? sum_of(branch, trunk) : sum_of(trunk, branch);
    const Variable y = sum_of(inner, other);
    const Tensor dy = test::random_tensor(x.shape(), kDouble, 3), kept = dy.clone();
    tape.tape().backward(y, dy);
    std::vector<double> want = kept.to_vector();
    for (double& value : want) value *= 11;
    test::expect_close(x.grad().to_vector(), want, 1e-14);
    test::expect_same_bits(w.grad(), kept);
    test::expect_same_bits(dy, kept);
  }
}

TEST(Tape, OverwritingDyIsAllowedOnlyWhereNobodyElseSeesIt) {
  bool overwrote_shared = true, overwrote_own = false;
  const Variable x = number(1), w = number(1);
  TapeScope tape;
  const Variable a = doubled_on_dy(scaled(x, 1), &overwrote_own);     // gets a fresh dy from `scaled`
  const Variable b = doubled_on_dy(scaled(a, 1), &overwrote_shared);  // gets the sum's dy
  tape.backward(sum_of(b, w));
  EXPECT_TRUE(overwrote_own);
  EXPECT_FALSE(overwrote_shared);
  EXPECT_EQ(w.grad().item(), 1);
  EXPECT_EQ(x.grad().item(), 4);
}

TEST(Tape, ViewsOfDyAreHandedOnWithoutCopies) {
  const Variable a(test::random_tensor({1, 1, 2, 2}, kDouble, 1), true),
      b(test::random_tensor({1, 1, 2, 3}, kDouble, 2), true);
  TapeScope tape;
  const Tensor y = full({1, 1, 2, 5}, 0);
  const Variable part = scaled(a, 3);
  const Variable joined = record("join", {part, b}, y, [](const Tensor& dy, Gradients& grads) {
    grads.pass(0, dy.channels(0, 2));
    grads.pass(1, dy.channels(2, 3));
  });
  const Tensor dy = test::random_tensor({1, 1, 2, 5}, kDouble, 3);
  tape.tape().backward(joined, dy);
  EXPECT_EQ(b.grad().storage(), dy.storage());
  test::expect_same_bits(b.grad(), dy.channels(2, 3));
}

TEST(Tape, ParametersAddUpUntilCleared) {
  Variable w = number(2);
  for (int pass = 1; pass <= 3; ++pass) {
    TapeScope tape;
    tape.backward(sum_of(scaled(w, 1), scaled_in_place(w, 3)));
    EXPECT_EQ(w.grad().item(), 4 * pass);
  }
  w.clear_grad();
  EXPECT_FALSE(w.grad().defined());
}

TEST(Tape, RecordsOnlyWhatIsNeeded) {
  const Variable x = number(1), constant = number(1, false);
  EXPECT_FALSE(scaled(x, 2).requires_grad());  // no scope
  TapeScope outer;
  EXPECT_FALSE(scaled(constant, 2).requires_grad());
  {
    const NoGradScope no_grad;
    EXPECT_FALSE(recording({x}));
    scaled(x, 2);
  }
  EXPECT_EQ(outer.tape().size(), 0u);
  EXPECT_TRUE(recording({Variable(), x}));
  {
    TapeScope inner;
    scaled(x, 2);
    EXPECT_EQ(inner.tape().size(), 1u);
  }
  scaled(x, 2);
  EXPECT_EQ(outer.tape().size(), 1u);
}

TEST(Tape, NodesOutsideTheLossAreSkipped) {
  const Variable x = number(1), w = number(1);
  TapeScope tape;
  const Variable used = scaled(x, 2);
  scaled(w, 5);
  tape.backward(used);
  EXPECT_EQ(x.grad().item(), 2);
  EXPECT_FALSE(w.grad().defined());
}

// What a node keeps is free as soon as its backward has run.
TEST(Tape, FreesMemoryAsItGoes) {
  const int64_t before = memory_stats(Device::cpu()).in_use;
  const Variable x = number(1);
  {
    TapeScope tape;
    Variable y = x;
    for (int i = 0; i < 3; ++i) {
      const Tensor kept = full({1 << 17}, 1);  // 1 MiB
      y = record("keeps", {y}, full({1}, 1), [kept, before, i](const Tensor& dy, Gradients& grads) {
        EXPECT_LT(memory_stats(Device::cpu()).in_use - before, ((i + 1) << 20) + 10000);
        grads.set(0, dy.clone());
      });
    }
    tape.backward(y);
    EXPECT_LT(memory_stats(Device::cpu()).in_use - before, 10000);
  }
}

TEST(Tape, Errors) {
  const Variable x(full({2}, 1), true), loss = number(1);
  TapeScope tape;
  test::expect_error(ErrorKind::kUsage, "[2]", [&] { tape.backward(scaled(x, 1)); });
  test::expect_error(ErrorKind::kUsage, "not recorded", [&] { tape.backward(loss); });
  const ModulePath block("blocks.4"), conv("conv");
  EXPECT_EQ(ModulePath::current(), "blocks.4.conv");
  const Variable failing =
      record("breaks", {loss}, full({1}, 1), [](const Tensor&, Gradients&) { GHOST_FAIL(kData, "why"); });
  test::expect_error(ErrorKind::kData, "breaks in blocks.4.conv", [&] { tape.backward(failing); });
}

TEST(Tape, RefusesAGradientOfAnotherShape) {
  const Variable x = number(1);
  TapeScope tape;
  const Variable y =
      record("wrong", {x}, full({1}, 1), [](const Tensor&, Gradients& grads) { grads.set(0, full({2}, 1)); });
  test::expect_error(ErrorKind::kInternal, "gradient [2]", [&] { tape.backward(y); });
}

}  // namespace
}  // namespace ghost
