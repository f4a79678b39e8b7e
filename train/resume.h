// What a resumed run may change. Anything that would alter its result is refused.
#pragma once

#include <string>
#include <vector>

#include "train/config.h"

namespace ghost {

// The config of the run's last checkpoint with overrides applied: where data lies, loader threads and cache, compute
// threads, device, checkpoint intervals.
LoadedConfig resumed_config(const std::string& run_folder, const std::vector<std::string>& overrides);

}  // namespace ghost
