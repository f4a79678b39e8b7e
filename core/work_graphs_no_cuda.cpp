#include "core/work_graphs.h"

namespace ghost {

WorkGraphs::WorkGraphs(const Device& device, bool) { require_cpu(device); }

void WorkGraphs::run(const std::string&, const std::function<void()>& work) { work(); }

}  // namespace ghost
