#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "losses/cross_entropy.h"

namespace ghost {
namespace {

constexpr int64_t kRows = 8;  // samples of a task

// The two labelled classes of a sample and their weights in its target; every class has `rest` beside them.
template <class T>
struct RowTarget {
  RowTarget(const ClassTargets& targets, double smoothing, int64_t classes, int64_t row)
      : a(targets.labels.data<int64_t>()[row]), b(a), rest(smoothing / static_cast<double>(classes)) {
    const double mix = targets.mix.defined() ? static_cast<double>(targets.mix.data<T>()[row]) : 1;
    if (targets.mix.defined()) b = targets.other_labels.data<int64_t>()[row];
    weight_a = (1 - smoothing) * mix;
    weight_b = (1 - smoothing) * (1 - mix);
  }
  int64_t a, b;
  double rest, weight_a, weight_b;
};

// One sample's loss, in double; writes max + log sum exp.
template <class T>
double row_loss(const T* x, int64_t classes, const RowTarget<T>& target, T* log_sum) {
  T highest = x[0];
  for (int64_t k = 1; k < classes; ++k) highest = std::max(highest, x[k]);
  double exponentials = 0, distances = 0;  // sum exp(x - max), sum (max - x)
  for (int64_t k = 0; k < classes; ++k) {
    exponentials += static_cast<double>(std::exp(x[k] - highest));
    distances += static_cast<double>(highest - x[k]);
  }
  const double log_exponentials = std::log(exponentials);
  *log_sum = static_cast<T>(highest + log_exponentials);
  // -log_softmax(x)[k] = log sum exp(x - max) + (max - x[k])
  const auto distance = [&](int64_t k) { return static_cast<double>(highest - x[k]); };
  return target.weight_a * (log_exponentials + distance(target.a)) +
         target.weight_b * (log_exponentials + distance(target.b)) +
         target.rest * (static_cast<double>(classes) * log_exponentials + distances);
}

}  // namespace

void cpu::softmax_cross_entropy_forward(const Tensor& logits, const ClassTargets& targets, double label_smoothing,
                                        const Tensor& log_sum, const Tensor& loss) {
  const int64_t n = logits.dim(0), classes = logits.dim(1);
  visit_float(logits.dtype(), [&]<class T>(TypeTag<T>) {
    std::vector<double> losses(static_cast<size_t>(n));
    parallel_chunks(n, kRows, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        losses[static_cast<size_t>(i)] =
            row_loss(logits.data<T>() + i * classes, classes, RowTarget<T>(targets, label_smoothing, classes, i),
                     log_sum.data<T>() + i);
    });
    double sum = 0;
    for (const double row : losses) sum += row;
    *loss.data<T>() = static_cast<T>(sum / static_cast<double>(n));
  });
}

void cpu::softmax_cross_entropy_backward(const Tensor& logits, const ClassTargets& targets, double label_smoothing,
                                         const Tensor& log_sum, const Tensor& dloss, const Tensor& dlogits) {
  const int64_t n = logits.dim(0), classes = logits.dim(1);
  visit_float(logits.dtype(), [&]<class T>(TypeTag<T>) {
    const T factor = *dloss.data<T>() / static_cast<T>(n);
    parallel_chunks(n, kRows, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const RowTarget<T> target(targets, label_smoothing, classes, i);
        const T* const x = logits.data<T>() + i * classes;
        T* const dx = dlogits.data<T>() + i * classes;
        const T offset = log_sum.data<T>()[i], rest = static_cast<T>(target.rest);
        for (int64_t k = 0; k < classes; ++k) dx[k] = factor * (std::exp(x[k] - offset) - rest);
        dx[target.a] -= factor * static_cast<T>(target.weight_a);
        dx[target.b] -= factor * static_cast<T>(target.weight_b);
      }
    });
  });
}

}  // namespace ghost
