// One config value between YAML and its place. Internal to the config's sources.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>

#include "train/config_keys.h"

namespace ghost {

// Stores `value` at key.place. Returns "" or what is wrong with it: type, length, range, choice. Partly stored values of
// a refused list do not matter: the load fails.
std::string set_value(const ConfigKey& key, const YAML::Node& value);

// The value at key.place as YAML: "0.05", "[0.35, 1.0]", "null" for an empty text.
std::string value_text(const ConfigKey& key);

}  // namespace ghost
