// Checks of config values against each other. Internal to the config's sources.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "train/config.h"

namespace ghost {

struct ConfigConflict {
  std::vector<std::string_view> keys;  // whose values do not go together; the message's place is the last given one's
  std::string message;
  bool refused = true;  // else a warning
};

// `config`: each value within its own range.
std::vector<ConfigConflict> find_conflicts(const Config& config);

}  // namespace ghost
