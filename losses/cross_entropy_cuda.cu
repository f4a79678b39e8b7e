#include "kernels/cuda_reduce.h"
#include "losses/cross_entropy.h"

namespace ghost {
namespace cuda {
namespace {

constexpr int kThreads = 256;

struct DeviceTargets {
  const int64_t *labels, *other_labels;  // other_labels, mix: null where a sample has one label
  const float* mix;
  float smooth;  // label_smoothing / classes
  float sharp;   // 1 - label_smoothing

  // The weight of `labels[row]`; the rest falls to other_labels[row].
  __device__ float weight(int64_t row) const { return other_labels == nullptr ? 1.0f : mix[row]; }
  __device__ int64_t other(int64_t row) const { return other_labels == nullptr ? labels[row] : other_labels[row]; }
};

DeviceTargets device_targets(const ClassTargets& targets, double label_smoothing, int64_t classes) {
  const bool two = targets.other_labels.defined();
  return {targets.labels.data<int64_t>(), two ? targets.other_labels.data<int64_t>() : nullptr,
          two ? targets.mix.data<float>() : nullptr, static_cast<float>(label_smoothing / static_cast<double>(classes)),
          static_cast<float>(1 - label_smoothing)};
}

// Rows of a batch are few; a block walks one.
__global__ void cross_entropy_rows_kernel(ConstMap logits, int64_t rows, int64_t classes, DeviceTargets targets,
                                          float* log_sum, float* row_loss) {
  __shared__ float shared[32];
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float* const x = logits.data + row * logits.pitch;
    float largest = -HUGE_VALF;
    for (int64_t k = threadIdx.x; k < classes; k += kThreads) largest = fmaxf(largest, x[k]);
    largest = block_max(largest, shared);
    float sum = 0, rest = 0;  // of exp(x - max), of max - x
    for (int64_t k = threadIdx.x; k < classes; k += kThreads) {
      sum += expf(x[k] - largest);
      rest += largest - x[k];
    }
    sum = block_sum(sum, shared);
    rest = block_sum(rest, shared);
    if (threadIdx.x != 0) continue;
    const float log_of_sum = logf(sum);  // log_sum - max: kept apart, so that a large max does not swallow it
    log_sum[row] = largest + log_of_sum;
    const int64_t a = targets.labels[row], b = targets.other(row);
    const float weight = targets.weight(row);
    // A label from outside cannot throw here without a wait for the device: it makes the loss NaN, which the trainer
    // reports.
    const bool inside = a >= 0 && a < classes && b >= 0 && b < classes;
    const float of_labels = inside ? weight * (largest - x[a]) + (1 - weight) * (largest - x[b]) : nanf("");
    row_loss[row] =
        targets.sharp * (log_of_sum + of_labels) + targets.smooth * (static_cast<float>(classes) * log_of_sum + rest);
  }
}

__global__ void row_mean_kernel(const float* row_loss, int64_t rows, float* loss) {
  __shared__ float shared[32];
  float sum = 0;
  for (int64_t row = threadIdx.x; row < rows; row += kThreads) sum += row_loss[row];
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) *loss = sum / static_cast<float>(rows);
}

__global__ void cross_entropy_backward_kernel(ConstMap logits, int64_t rows, int64_t classes, DeviceTargets targets,
                                              const float* log_sum, const float* dloss, Map dlogits) {
  const float factor = *dloss / static_cast<float>(rows);
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const float* const x = logits.data + row * logits.pitch;
    float* const dx = dlogits.data + row * dlogits.pitch;
    const int64_t a = targets.labels[row], b = targets.other(row);
    const float weight = targets.weight(row);
    for (int64_t k = threadIdx.x; k < classes; k += kThreads) {
      const float of_labels = (k == a ? weight : 0.0f) + (k == b ? 1 - weight : 0.0f);
      dx[k] = factor * (expf(x[k] - log_sum[row]) - (targets.sharp * of_labels + targets.smooth));
    }
  }
}

}  // namespace

void softmax_cross_entropy_forward(const Tensor& logits, const ClassTargets& targets, double label_smoothing,
                                   const Tensor& log_sum, const Tensor& loss) {
  require_float32("softmax_cross_entropy", {logits, targets.mix, log_sum, loss});
  if (logits.empty()) return;
  const int64_t rows = logits.pixels(), classes = logits.channels();
  const cudaStream_t stream = current_stream(logits.device());
  const Tensor row_loss({rows}, logits.options());
  launch(cross_entropy_rows_kernel, grid_for(rows, 1), kThreads, 0, stream, const_map(logits), rows, classes,
         device_targets(targets, label_smoothing, classes), log_sum.data<float>(), row_loss.data<float>());
  launch(row_mean_kernel, 1, kThreads, 0, stream, row_loss.data<float>(), rows, loss.data<float>());
}

void softmax_cross_entropy_backward(const Tensor& logits, const ClassTargets& targets, double label_smoothing,
                                    const Tensor& log_sum, const Tensor& dloss, const Tensor& dlogits) {
  require_float32("softmax_cross_entropy", {logits, targets.mix, log_sum, dloss, dlogits});
  if (logits.empty()) return;
  const int64_t rows = logits.pixels(), classes = logits.channels();
  launch(cross_entropy_backward_kernel, grid_for(rows, 1), kThreads, 0, current_stream(logits.device()),
         const_map(logits), rows, classes, device_targets(targets, label_smoothing, classes), log_sum.data<float>(),
         dloss.data<float>(), map_of(dlogits));
}

}  // namespace cuda
}  // namespace ghost
