// `ghosttrain info --device`: the step on a described GPU, as text and as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "train/gpu_plan.h"
#include "train/log.h"

namespace ghost {

void print_plan(Log& log, const GpuPlan& plan, const GpuPlanOptions& options);
nlohmann::ordered_json plan_json(const GpuPlan& plan, const GpuPlanOptions& options);

}  // namespace ghost
