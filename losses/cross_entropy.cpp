#include "losses/cross_entropy.h"

namespace ghost {
namespace {

void check_labels(const Tensor& labels, const Tensor& logits, const char* what) {
  const int64_t n = logits.dim(0), classes = logits.dim(1);
  GHOST_CHECK(labels.dtype() == DType::kInt64 && labels.shape() == Shape{n} && labels.device() == logits.device(),
              "softmax_cross_entropy: ", what, " are ", labels.dtype(), ' ', labels.shape(), " on ", labels.device(),
              "; logits ", logits.shape(), " on ", logits.device(), " need int64 [", n, "] there");
  if (!labels.device().is_cpu())
    return;  // reading them would wait for the device; their loader checked them on the host
  for (int64_t i = 0; i < n; ++i) {
    const int64_t label = labels.data<int64_t>()[i];
    GHOST_CHECK_AS(kData, label >= 0 && label < classes, "softmax_cross_entropy: ", what, '[', i, "] is ", label,
                   ", it must lie in [0, ", classes, "). Check the class count of the model against the data set.");
  }
}

void check(const Tensor& logits, const ClassTargets& targets, double label_smoothing) {
  GHOST_CHECK(logits.rank() == 2 && logits.dim(0) >= 1 && logits.dim(1) >= 1 && logits.contiguous(),
              "softmax_cross_entropy: dense logits {n, classes} with n >= 1 are needed, got ", logits.shape());
  GHOST_CHECK(label_smoothing >= 0 && label_smoothing < 1, "softmax_cross_entropy: label_smoothing is ",
              label_smoothing, ", it must lie in [0, 1)");
  check_labels(targets.labels, logits, "labels");
  GHOST_CHECK(targets.other_labels.defined() == targets.mix.defined(),
              "softmax_cross_entropy: other_labels and mix are given together or not at all");
  if (!targets.mix.defined()) return;
  check_labels(targets.other_labels, logits, "other_labels");
  GHOST_CHECK(targets.mix.dtype() == logits.dtype() && targets.mix.shape() == targets.labels.shape() &&
                  targets.mix.device() == logits.device(),
              "softmax_cross_entropy: mix is ", targets.mix.dtype(), ' ', targets.mix.shape(), " on ",
              targets.mix.device(), ", it must be ", logits.dtype(), ' ', targets.labels.shape(), " on ",
              logits.device());
}

}  // namespace

Variable softmax_cross_entropy(const Variable& logits, const ClassTargets& targets, double label_smoothing) {
  const Tensor& x = logits.value();
  check(x, targets, label_smoothing);
  const Tensor log_sum({x.dim(0)}, x.options()), loss({1}, x.options());
  GHOST_DISPATCH(x.device(), softmax_cross_entropy_forward(x, targets, label_smoothing, log_sum, loss));
  return record("softmax_cross_entropy", {logits}, loss,
                [x, targets, label_smoothing, log_sum](const Tensor& dloss, Gradients& grads) {
                  const Tensor dx(x.shape(), x.options());
                  GHOST_DISPATCH(x.device(),
                                 softmax_cross_entropy_backward(x, targets, label_smoothing, log_sum, dloss, dx));
                  grads.set(0, dx);
                });
}

}  // namespace ghost
