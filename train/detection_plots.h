// Pictures of how well a detector detects.
#pragma once

#include <string>
#include <vector>

#include "train/detection_metrics.h"

namespace ghost {

// pr.svg: precision over recall (never rising, as average precision takes it), and F1, precision and recall over the
// score; a line for each class that has truth, their mean thick, average precisions and best F1 in the legend.
std::string svg_precision_recall(const std::vector<std::string>& classes, const std::vector<PrecisionRecall>& curves);

}  // namespace ghost
