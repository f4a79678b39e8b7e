// Softmax cross entropy with label smoothing (Szegedy et al., 2016) and two weighted labels (mixup, cutmix), mean over
// the batch.
//   target[i,k] = (1 - s) * (m[i] * [k == a[i]] + (1 - m[i]) * [k == b[i]]) + s / classes
//   forward   loss = -1/n sum_i sum_k target[i,k] * log_softmax(x[i])[k]
//   backward  dx[i,k] = dloss / n * (softmax(x[i])[k] - target[i,k])
#pragma once

#include "kernels/feature.h"

namespace ghost {

struct ClassTargets {
  Tensor labels;        // int64 [n], each in [0, classes)
  Tensor other_labels;  // int64 [n], or undefined: one label a sample
  Tensor mix;           // [n] in the dtype of the logits, weight of `labels`; with other_labels only
};

// logits {n, classes}, n >= 1; returns {1}. A label outside [0, classes) is refused with its place.
Variable softmax_cross_entropy(const Variable& logits, const ClassTargets& targets, double label_smoothing = 0);

// log_sum: [n], max + log sum exp of each row, saved for backward.
GHOST_DECLARE_KERNEL(void softmax_cross_entropy_forward(const Tensor& logits, const ClassTargets& targets,
                                                        double label_smoothing, const Tensor& log_sum,
                                                        const Tensor& loss))
GHOST_DECLARE_KERNEL(void softmax_cross_entropy_backward(const Tensor& logits, const ClassTargets& targets,
                                                         double label_smoothing, const Tensor& log_sum,
                                                         const Tensor& dloss, const Tensor& dlogits))

}  // namespace ghost
