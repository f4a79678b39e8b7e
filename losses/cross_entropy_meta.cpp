#include "core/meta.h"
#include "losses/cross_entropy.h"

namespace ghost::meta {

void softmax_cross_entropy_forward(const Tensor& logits, const ClassTargets& targets, double, const Tensor& log_sum,
                                   const Tensor& loss) {
  if (logits.empty()) return;
  const Tensor row_loss({logits.pixels()}, logits.options());
  kernel("cross_entropy_rows_kernel", {logits, targets.labels, targets.other_labels, targets.mix, log_sum, row_loss});
  kernel("row_mean_kernel", {row_loss, loss});
}

void softmax_cross_entropy_backward(const Tensor& logits, const ClassTargets& targets, double, const Tensor& log_sum,
                                    const Tensor& dloss, const Tensor& dlogits) {
  if (logits.empty()) return;
  kernel("cross_entropy_backward_kernel",
         {logits, targets.labels, targets.other_labels, targets.mix, log_sum, dloss, dlogits});
}

}  // namespace ghost::meta
