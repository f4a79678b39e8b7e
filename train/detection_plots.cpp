#include "train/detection_plots.h"

#include <algorithm>
#include <cstdio>
#include <functional>

#include "core/error.h"
#include "train/svg_plot.h"

namespace ghost {
namespace {

constexpr size_t kPoints = 101;

double grid(size_t i) { return static_cast<double>(i) / static_cast<double>(kPoints - 1); }

// The best precision at each recall of the grid or above it; 0 where no threshold reaches that recall.
std::vector<double> highest_precision(const PrecisionRecall& curve) {
  std::vector<double> values(kPoints, 0);
  double best = 0;
  size_t at = curve.recall.size();
  for (size_t i = kPoints; i-- > 0;) {
    while (at > 0 && curve.recall[at - 1] >= grid(i)) best = std::max(best, curve.precision[--at]);
    values[i] = best;
  }
  return values;
}

std::string share(double value) {
  char text[16];
  std::snprintf(text, sizeof(text), "%.3f", value);
  return text;
}

// What stands before a curve's name: one number for the whole curve.
using Summary = std::function<double(const std::vector<double>&)>;

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}
double highest_of(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

Plot plot_of(const std::vector<std::string>& classes, const std::vector<PrecisionRecall>& curves,
             const std::function<std::vector<double>(const PrecisionRecall&)>& values_of, const Summary& summary) {
  Plot plot;
  plot.shares = true;
  std::vector<double> x, mean(kPoints, 0);
  for (size_t i = 0; i < kPoints; ++i) x.push_back(grid(i));
  for (size_t k = 0; k < curves.size(); ++k) {
    if (curves[k].truths == 0) continue;
    const std::vector<double> y = values_of(curves[k]);
    for (size_t i = 0; i < kPoints; ++i) mean[i] += y[i];
    plot.curves.push_back({summary ? share(summary(y)) + ' ' + classes[k] : classes[k], x, y});
  }
  if (plot.curves.empty()) return plot;
  for (double& value : mean) value /= static_cast<double>(plot.curves.size());
  plot.curves.push_back({summary ? share(summary(mean)) + " mean" : "mean", x, mean, true});
  return plot;
}

}  // namespace

std::string svg_precision_recall(const std::vector<std::string>& classes, const std::vector<PrecisionRecall>& curves) {
  GHOST_ASSERT(classes.size() == curves.size(), "classes: ", classes.size(), ", curves: ", curves.size());
  const auto over_score = [](double OperatingPoint::*field) {
    return [field](const PrecisionRecall& curve) {
      std::vector<double> values;
      for (size_t i = 0; i < kPoints; ++i) values.push_back(at_score(curve, grid(i)).*field);
      return values;
    };
  };
  std::vector<Plot> plots{plot_of(classes, curves, highest_precision, mean_of),
                          plot_of(classes, curves, over_score(&OperatingPoint::f1), highest_of),
                          plot_of(classes, curves, over_score(&OperatingPoint::precision), nullptr),
                          plot_of(classes, curves, over_score(&OperatingPoint::recall), nullptr)};
  const char* const y_labels[] = {"precision", "F1", "precision", "recall"};
  for (size_t i = 0; i < plots.size(); ++i) {
    plots[i].x_label = i == 0 ? "recall" : "score";
    plots[i].y_label = y_labels[i];
    plots[i].title = str(y_labels[i], " over ", plots[i].x_label);
  }
  return svg_curves(plots);
}

}  // namespace ghost
