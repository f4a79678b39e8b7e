#include "kernels/ghost_concat.h"

#include "kernels/activation.h"
#include "kernels/pool.h"
#include "tests/support/op_test.h"

namespace ghost {
namespace {

using test::OpCase;
using test::random_tensor;

// Stands for an op that writes a part of the buffer: puts x, the map, into the slot. Its gradient is x's.
Feature write_part(const Variable& x, const FeatureBuffer& buffer, int64_t begin, Activation activation) {
  const FeatureSlot slot = buffer.slot(begin, x.dim(3));
  cpu::epilogue_forward(x.value(),
                        {.scale = Tensor::full({x.dim(3)}, 1, x.value().options()),
                         .shift = Tensor::zeros({x.dim(3)}, x.value().options()),
                         .activation = Activation::kNone,
                         .gate = {}},
                        slot.z);
  slot.scale.fill(2 + static_cast<double>(begin));
  slot.shift.fill(0.5);
  const Variable z = record("write_part", {x}, slot.z, [](const Tensor& dy, Gradients& grads) { grads.pass(0, dy); });
  return {z, {slot.scale, slot.shift, activation, {}}};
}

Feature join_three(const Variables& x, Activation activation) {
  const Shape& shape = x[0].shape();
  int64_t channels = 0;
  for (const Variable& part : x) channels += part.dim(3);
  const FeatureBuffer buffer({shape[0], shape[1], shape[2], channels}, x[0].value().options());
  std::vector<Feature> parts;
  int64_t begin = 0;
  for (const Variable& part : x) {
    parts.push_back(write_part(part, buffer, begin, activation));
    begin += part.dim(3);
  }
  return buffer.join(parts);
}

TEST(GhostConcat, JoinsWithoutCopying) {
  const Variables x{Variable(random_tensor({2, 3, 5, 4}, {}, 1), true),
                    Variable(random_tensor({2, 3, 5, 1}, {}, 2), true),
                    Variable(random_tensor({2, 3, 5, 7}, {}, 3), true)};
  const int64_t before = copied_bytes();
  TapeScope tape;
  const Feature joined = join_three(x, Activation::kRelu);
  const Tensor dy = random_tensor({2, 3, 5, 12}, {}, 4);
  tape.tape().backward(joined.raw, dy);
  EXPECT_EQ(copied_bytes() - before, 0);

  EXPECT_EQ(joined.epilogue.activation, Activation::kRelu);
  test::expect_close(joined.epilogue.scale.to_vector(), {2, 2, 2, 2, 6, 7, 7, 7, 7, 7, 7, 7}, 0);
  const int64_t begins[] = {0, 4, 5};
  for (size_t i = 0; i < x.size(); ++i) {
    test::expect_same_bits(joined.raw.value().channels(begins[i], x[i].dim(3)), x[i].value());
    test::expect_same_bits(x[i].grad(), dy.channels(begins[i], x[i].dim(3)));
    EXPECT_EQ(x[i].grad().storage(), dy.storage());
  }
}

// The ghost module: the second part is computed from the first, so its gradient is added into the first one's view of
// dy, in place, and must not touch its neighbour.
TEST(GhostConcat, CheapOperationAddsIntoTheViewInPlace) {
  const TensorOptions options{DType::kFloat64, {}};
  const Variable x(random_tensor({1, 2, 2, 3}, options, 1), true);
  TapeScope tape;
  const FeatureBuffer buffer({1, 2, 2, 6}, options);
  const Feature primary = write_part(x, buffer, 0, Activation::kNone);
  const Variable tripled =
      record("triple", {primary.raw}, primary.raw.value().clone(), [](const Tensor& dy, Gradients& grads) {
        const Gradients::Target dx = grads.target(0);
        EXPECT_TRUE(dx.accumulate);
        for (int i = 0; i < 3; ++i) dx.out.add_in_place(dy);
      });
  const Feature cheap = write_part(tripled, buffer, 3, Activation::kNone);
  const Variable passed = record("own", {buffer.join({primary, cheap}).raw}, buffer.slot(0, 6).z,
                                 [](const Tensor& dy, Gradients& grads) { grads.set(0, dy.clone()); });
  const Tensor dy = random_tensor({1, 2, 2, 6}, options, 2);
  tape.tape().backward(passed, dy);
  std::vector<double> want = dy.channels(0, 3).to_vector();
  const std::vector<double> second = dy.channels(3, 3).to_vector();
  for (size_t i = 0; i < want.size(); ++i) want[i] += 3 * second[i];
  test::expect_close(x.grad().to_vector(), want, 1e-15);
}

TEST(GhostConcat, RefusesPartsThatDoNotFit) {
  const FeatureBuffer buffer({1, 2, 2, 6}, {}), other({1, 2, 2, 6}, {});
  const auto part = [](const FeatureBuffer& from, int64_t begin, int64_t count, Activation activation) {
    const FeatureSlot slot = from.slot(begin, count);
    return Feature(Variable(slot.z), {slot.scale, slot.shift, activation, {}});
  };
  const Activation relu = Activation::kRelu;
  const Feature first = part(buffer, 0, 4, relu), second = part(buffer, 4, 2, relu);
  EXPECT_EQ(buffer.join({first, second}).shape(), (Shape{1, 2, 2, 6}));
  const auto refused = [&](const char* why, const std::vector<Feature>& parts) {
    test::expect_error(ErrorKind::kInternal, why, [&] { buffer.join(parts); });
  };
  refused("does not lie in channels", {second, first});
  refused("does not lie in channels", {first, part(other, 4, 2, relu)});
  refused("have 4 channels", {first});
  refused("another activation", {first, part(buffer, 4, 2, Activation::kNone)});
  refused("scale and shift outside", {first, Feature(second.raw, part(other, 4, 2, relu).epilogue)});
  refused("no parts", {});
}

std::vector<OpCase> slice_cases() {
  std::vector<OpCase> cases;
  for (const auto& [begin, count] : {std::pair<int64_t, int64_t>{0, 3}, {2, 3}, {0, 7}, {6, 1}})
    cases.push_back(
        {.name = str("from_", begin, "_count_", count),
         .inputs = {{.shape = {2, 3, 2, 7}, .pitched = true}},
         .op = [=](const Variables& x) { return slice_channels(x[0], begin, count).raw; },
         .reference = [=](const std::vector<Tensor>& x) { return x[0].channels(begin, count).to_vector(); }});
  // Two slices of one map: the second gradient is added to the first.
  cases.push_back(
      {.name = "two_slices", .inputs = {{.shape = {2, 2, 2, 5}}}, .op = [](const Variables& x) {
         return global_average_pool(
             join_three({slice_channels(x[0], 0, 3).raw, slice_channels(x[0], 2, 3).raw}, Activation::kNone).raw);
       }});
  return cases;
}
GHOST_OP_TESTS(SliceChannels, slice_cases());

TEST(GhostConcat, SliceIsAViewWithItsEpilogue) {
  const Epilogue epilogue{random_tensor({6}, {}, 1), random_tensor({6}, {}, 2), Activation::kRelu, {}};
  const Feature x(Variable(random_tensor({1, 2, 2, 6}, {}, 3)), epilogue);
  const int64_t before = copied_bytes();
  const Feature part = slice_channels(x, 1, 4);
  EXPECT_EQ(copied_bytes(), before);
  EXPECT_EQ(part.raw.value().storage(), x.raw.value().storage());
  test::expect_same_bits(materialize(part).value(), materialize(x).value().channels(1, 4));
}

}  // namespace
}  // namespace ghost
