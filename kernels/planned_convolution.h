// Plans of convolutions for a GPU that is described, not there: what the meta device asks.
#pragma once

#include <functional>

#include "kernels/convolution_problem.h"

namespace ghost {

struct PlannedConvolution {
  std::string name;       // cuDNN's number of the engine: "17"
  int64_t workspace = 0;  // bytes
};
using ConvolutionPlanner = std::function<PlannedConvolution(const ConvolutionProblem&)>;

// While one lives, convolutions on the meta device are planned with `planner` on this thread. Without one they count as
// cuDNN's, without a plan's name and workspace.
class PlannerScope {
 public:
  explicit PlannerScope(const ConvolutionPlanner& planner);
  ~PlannerScope();
  PlannerScope(const PlannerScope&) = delete;
  PlannerScope& operator=(const PlannerScope&) = delete;
  static const ConvolutionPlanner* active();

 private:
  const ConvolutionPlanner* outer_;
};

// Plans with the real cuDNN for the device that `properties` describes (the JSON of cuDNN's device properties); needs
// no driver. Each problem is planned once. Empty where there is no cuDNN: `reason` then says why.
ConvolutionPlanner cudnn_planner(const std::string& properties, std::string& reason);

}  // namespace ghost
