#include "losses/cross_entropy.h"

#include <cmath>

#include "tests/support/op_test.h"

namespace ghost {
namespace {

using test::OpCase;
using test::random_tensor;

struct Labels {
  std::vector<int64_t> a, b;
  std::vector<double> mix;

  ClassTargets on(const TensorOptions& options) const {
    const Shape shape{static_cast<int64_t>(a.size())};
    ClassTargets targets{Tensor::from(a, shape).to(options.device), {}, {}};
    if (b.empty()) return targets;
    targets.other_labels = Tensor::from(b, shape).to(options.device);
    targets.mix = Tensor::from(mix, shape).to(options.dtype).to(options.device);
    return targets;
  }
};

// -1/n sum target log softmax, by the definition, with exponentials of the logits as they are.
double plain_loss(const Tensor& logits, const Labels& labels, double smoothing) {
  const int64_t n = logits.dim(0), classes = logits.dim(1);
  const std::vector<double> x = logits.to_vector();
  double loss = 0;
  for (int64_t i = 0; i < n; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(x[static_cast<size_t>(i * classes + k)]);
    for (int64_t k = 0; k < classes; ++k) {
      const size_t row = static_cast<size_t>(i);
      const double mix = labels.b.empty() ? 1 : labels.mix[row];
      double target = mix * (labels.a[row] == k);
      if (!labels.b.empty()) target += (1 - mix) * (labels.b[row] == k);
      target = (1 - smoothing) * target + smoothing / static_cast<double>(classes);
      loss -= target * std::log(std::exp(x[static_cast<size_t>(i * classes + k)]) / sum) / static_cast<double>(n);
    }
  }
  return loss;
}

OpCase loss_case(const std::string& name, int64_t classes, const Labels& labels, double smoothing) {
  const int64_t n = static_cast<int64_t>(labels.a.size());
  return {
      .name = name,
      .inputs = {{.shape = {n, classes}, .low = -4, .high = 4}},
      .op =
          [=](const Variables& x) { return softmax_cross_entropy(x[0], labels.on(x[0].value().options()), smoothing); },
      .reference =
          [=](const std::vector<Tensor>& x) { return std::vector<double>{plain_loss(x[0], labels, smoothing)}; }};
}

Labels many_labels() {
  Labels labels;
  for (int64_t i = 0; i < 19; ++i) labels.a.push_back(i * 5 % 11);
  return labels;
}

std::vector<OpCase> cross_entropy_cases() {
  const Labels two_labels{{1, 0, 2}, {1, 2, 0}, {0.25, 0.5, 1}};
  return {loss_case("hard", 5, {{3, 0, 4}, {}, {}}, 0),
          loss_case("smooth", 5, {{3, 0, 4}, {}, {}}, 0.1),
          loss_case("mixed", 3, two_labels, 0),
          loss_case("mixed_smooth", 3, two_labels, 0.2),
          loss_case("one_class", 1, {{0, 0}, {}, {}}, 0.1),
          loss_case("many_rows", 11, many_labels(), 0.1)};
}
GHOST_OP_TESTS(CrossEntropyOp, cross_entropy_cases());

TEST(CrossEntropy, KeepsItsDigitsForLargeLogits) {
  const Labels labels{{0, 1}, {}, {}};
  const Variable x(Tensor::from(std::vector<float>{1e4f, -1e4f, 3e38f, -3e38f}, {2, 2}), true);
  TapeScope tape;
  const Variable loss = softmax_cross_entropy(Variable(x.value().rows(0, 1)), Labels{{1}, {}, {}}.on({}));
  EXPECT_FLOAT_EQ(static_cast<float>(loss.value().item()), 2e4f);
  const Variable shifted =
      softmax_cross_entropy(Variable(Tensor::from(std::vector<float>{1000, 1001}, {1, 2})), Labels{{1}, {}, {}}.on({}));
  EXPECT_NEAR(shifted.value().item(), std::log1p(std::exp(-1)), 1e-6);
  tape.backward(softmax_cross_entropy(Variable(Tensor::from(std::vector<float>{1e4f, -1e4f}, {1, 2}), true),
                                      Labels{{0}, {}, {}}.on({})));
}

TEST(CrossEntropy, ShowsWhatIsNotFinite) {
  for (const float bad : {NAN, INFINITY}) {
    const Variable x(Tensor::from(std::vector<float>{0, bad, 1, 2, 3, 4}, {2, 3}));
    EXPECT_FALSE(std::isfinite(softmax_cross_entropy(x, Labels{{0, 1}, {}, {}}.on({})).value().item())) << bad;
  }
}

TEST(CrossEntropy, SameBitsForAnyThreads) {
  Labels labels;
  for (int64_t i = 0; i < 75; ++i) labels.a.push_back(i * 7 % 100);
  const Tensor x = random_tensor({75, 100}, {}, 1);
  test::expect_same_for_any_threads([&] {
    const Variable logits(x, true);
    TapeScope tape;
    const Variable loss = softmax_cross_entropy(logits, labels.on({}), 0.1);
    tape.backward(loss);
    return std::vector<Tensor>{loss.value(), logits.grad()};
  });
}

TEST(CrossEntropy, RefusesWrongTargetsWithTheirPlace) {
  const Variable x(Tensor::zeros({3, 4}));
  const auto refused = [&](ErrorKind kind, const char* why, const ClassTargets& targets, double smoothing = 0) {
    test::expect_error(kind, why, [&] { softmax_cross_entropy(x, targets, smoothing); });
  };
  refused(ErrorKind::kData, "labels[2] is 4", Labels{{0, 1, 4}, {}, {}}.on({}));
  refused(ErrorKind::kData, "labels[0] is -1", Labels{{-1, 1, 3}, {}, {}}.on({}));
  refused(ErrorKind::kData, "other_labels[1] is 9", Labels{{0, 1, 3}, {0, 9, 0}, {1, 1, 1}}.on({}));
  refused(ErrorKind::kUsage, "int64 [3]", Labels{{0, 1}, {}, {}}.on({}));
  refused(ErrorKind::kUsage, "label_smoothing is 1", Labels{{0, 1, 2}, {}, {}}.on({}), 1);
  ClassTargets half = Labels{{0, 1, 3}, {0, 1, 0}, {1, 1, 1}}.on({});
  half.mix = Tensor();
  refused(ErrorKind::kUsage, "together", half);
}

}  // namespace
}  // namespace ghost
