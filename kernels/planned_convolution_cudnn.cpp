#include <map>
#include <memory>

#include "core/shared_library_cuda.h"
#include "kernels/cudnn_plan.h"
#include "kernels/planned_convolution.h"

namespace ghost {
namespace {

class DescribedDevice {
 public:
  explicit DescribedDevice(const std::string& json) : properties_(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR) {
    properties_.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                    std::vector<char>(json.c_str(), json.c_str() + json.size() + 1));
    properties_.finalize();
  }

  const PlannedConvolution& plan(const ConvolutionProblem& problem) {
    const auto [place, is_new] = known_.try_emplace(problem);
    if (is_new) {
      const cuda::ConvolutionPlan made = cuda::build_plan(problem, {nullptr, &properties_}, kWorkspaceLimit);
      place->second = {std::to_string(made.engine), made.workspace};
    }
    return place->second;
  }

 private:
  cuda::CudnnDescriptor properties_;
  std::map<ConvolutionProblem, PlannedConvolution> known_;
};

}  // namespace

ConvolutionPlanner cudnn_planner(const std::string& properties, std::string& reason) {
  reason = cudnn_library().error();
  if (!reason.empty()) return {};
  const auto device = std::make_shared<DescribedDevice>(properties);
  return [device](const ConvolutionProblem& problem) { return device->plan(problem); };
}

}  // namespace ghost
