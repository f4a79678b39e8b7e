// A classifier's figures on a data set: the same code during training and for `val`.
#pragma once

#include <functional>
#include <vector>

#include "data/loader.h"
#include "layers/models/model.h"
#include "train/svg_plot.h"

namespace ghost {

struct ClassifierMetrics {
  int64_t count = 0;          // pictures
  double loss = 0;            // mean cross entropy, without label smoothing
  double top1 = 0, top5 = 0;  // shares, 0 to 1
  int64_t skipped = 0;        // corrupt pictures left out
  double seconds = 0;
  int64_t classes = 0;
  std::vector<int64_t> confusion;  // [truth * classes + prediction]

  int64_t confused(int64_t truth, int64_t prediction) const {
    return confusion[static_cast<size_t>(truth * classes + prediction)];
  }
};

// Runs `model` in inference mode over one pass of `loader` and puts its mode back. progress(done, total), pictures,
// after each batch.
ClassifierMetrics evaluate_classifier(Classifier& model, Loader& loader, const Device& device,
                                      const std::function<void(int64_t, int64_t)>& progress = {});

// confusion.svg.
std::vector<NamedText> plots_of(const ClassifierMetrics& metrics, const std::vector<std::string>& classes);

// sum_k exp(values[k] - peak), peak the largest: the softmax of k is exp(values[k] - peak) / sum.
struct SoftmaxSum {
  float peak;
  double sum;
};
SoftmaxSum softmax_sum(const float* values, int64_t classes);

// Indices of the `count` largest of `classes` values, largest first; equal values by index.
std::vector<int64_t> top_classes(const float* values, int64_t classes, int64_t count);

}  // namespace ghost
