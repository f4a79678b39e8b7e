// One config value between YAML and its place. Internal to the config's sources.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>

#include "train/config_keys.h"

namespace ghost {

// The one document in `text`; null for an empty one. Throws YAML::Exception, also where anything follows the document.
YAML::Node load_yaml(const std::string& text);

// Stores `value` at key.place. Returns "" or what is wrong with it: type, length, range, choice. Partly stored values
// of a refused list do not matter: the load fails.
std::string set_value(const ConfigKey& key, const YAML::Node& value);

// The value at key.place as YAML: "0.05", "[0.35, 1.0]", "null" for an empty text.
std::string value_text(const ConfigKey& key);

}  // namespace ghost
