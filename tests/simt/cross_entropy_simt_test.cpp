#include <gtest/gtest.h>

#include "losses/cross_entropy.h"
#include "tests/simt/feature_inputs.h"

namespace ghost {
namespace {

struct LossCase {
  int64_t samples, classes;
  double smoothing;
  bool two_labels;
  double low, high;
};

void check_loss(const LossCase& c) {
  const simt::Surrounded logits =
      simt::random_map({c.samples, c.classes}, {.seed = 3, .before = 1, .low = c.low, .high = c.high});
  std::vector<int64_t> labels, others;
  for (int64_t i = 0; i < c.samples; ++i) {
    labels.push_back((i * 7 + 1) % c.classes);
    others.push_back(i % 3 == 0 ? labels.back() : (i * 5 + 2) % c.classes);  // the same label twice now and then
  }
  ClassTargets targets{Tensor::from(labels, {c.samples}), {}, {}};
  ClassTargets targets64 = targets;
  if (c.two_labels) {
    targets.other_labels = targets64.other_labels = Tensor::from(others, {c.samples});
    targets.mix = simt::random_map({c.samples}, {.seed = 4, .low = 0}).view();
    targets64.mix = simt::to_double(targets.mix);
  }
  const Tensor logits64 = simt::to_double(logits), log_sum64 = simt::empty_double({c.samples});
  const Tensor loss64 = simt::empty_double({1}), dlogits64 = simt::empty_double({c.samples, c.classes});
  const Tensor dloss = Tensor::full({1}, 0.75), dloss64 = simt::to_double(dloss);
  cpu::softmax_cross_entropy_forward(logits64, targets64, c.smoothing, log_sum64, loss64);
  cpu::softmax_cross_entropy_backward(logits64, targets64, c.smoothing, log_sum64, dloss64, dlogits64);

  const std::string name =
      str(c.samples, " x ", c.classes, ", smoothing ", c.smoothing, c.two_labels ? ", two labels" : "");
  simt::for_each_order([&] {
    const simt::Surrounded log_sum = simt::empty_map({c.samples}), loss = simt::empty_map({1});
    const simt::Surrounded dlogits = simt::empty_map({c.samples, c.classes}, {.after = 2});
    simt::softmax_cross_entropy_forward(logits, targets, c.smoothing, log_sum, loss);
    simt::expect_close({"log_sum", name, 3}, log_sum, log_sum64, simt::kLimit);
    simt::expect_close({"loss", name, 3}, loss, loss64, simt::kLimit);
    simt::softmax_cross_entropy_backward(logits, targets, c.smoothing, log_sum, dloss, dlogits);
    simt::expect_close({"dlogits", name, 3}, dlogits, dlogits64, simt::kLimit);
  });
}

TEST(CrossEntropySimt, ForwardAndBackward) {
  check_loss({1, 1, 0, false, -1, 1});
  check_loss({3, 10, 0.1, false, -5, 5});
  check_loss({5, 7, 0, true, -5, 5});
  check_loss({300, 3, 0.1, true, -2, 2});
  check_loss({2, 1000, 0.1, true, -3, 3});
  check_loss({2, 37, 0.1, false, 80, 95});  // exp of the logits overflows float32
}

// A thread on the device cannot throw. The loss says it.
TEST(CrossEntropySimt, ALabelFromOutsideGivesNaN) {
  for (const int64_t label : {-1, 4, 1 << 20}) {
    const Tensor log_sum({2}), loss({1});
    const ClassTargets targets{Tensor::from<int64_t>({1, label}, {2}), {}, {}};
    simt::softmax_cross_entropy_forward(Tensor::zeros({2, 4}), targets, 0.1, log_sum, loss);
    EXPECT_TRUE(std::isnan(loss.item())) << "label " << label;
  }
}

}  // namespace
}  // namespace ghost
