#include "train/config.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "core/error.h"
#include "train/config_check.h"
#include "train/config_value.h"
#include "train/suggest.h"

namespace ghost {
namespace fs = std::filesystem;
namespace {

constexpr size_t kLargestFile = size_t{1} << 20;

class ConfigReader {
 public:
  // `start` holds the defaults.
  ConfigReader(const std::vector<RenamedKey>& renamed, const Config& start)
      : renamed_(renamed), config_(start), keys_(config_keys(config_)) {}

  void read_yaml(const ConfigSource& source);
  void read_overrides(const std::vector<std::string>& overrides);
  // Resolves paths, checks keys against each other, throws what was found.
  LoadedConfig finish(const std::string& folder);

 private:
  void read_section(const ConfigSource& source, const std::string& section, const YAML::Node& map);
  void set(const std::string& name, const std::string& section, const YAML::Node& value, const std::string& key_at,
           const std::string& value_at);
  const ConfigKey* find(std::string_view name) const;
  bool is_section(std::string_view name) const;
  std::string current_name(const std::string& name, const std::string& at);
  std::string suggestion(const std::string& name) const;
  void report_unknown(const std::string& name, const std::string& section, const std::string& at);
  void resolve_path(const ConfigKey& key, const std::string& folder);

  const std::vector<RenamedKey>& renamed_;
  Config config_;
  std::vector<ConfigKey> keys_;
  std::map<std::string, std::string, std::less<>> given_at_;  // key -> "file:3:7: " where it was last given
  std::set<std::string, std::less<>> given_now_, from_file_;  // keys of the source being read; keys the file holds
  std::vector<std::string> problems_, warnings_;
};

std::string location(const ConfigSource& source, const YAML::Mark& mark) {
  if (mark.is_null()) return source.source + ": ";
  return str(source.source, ":", mark.line + 1, ":", mark.column + 1, ": ");
}

// An absent value has no place of its own: the key's is taken.
std::string value_location(const ConfigSource& source, const YAML::Node& key, const YAML::Node& value) {
  return location(source, value.IsNull() ? key.Mark() : value.Mark());
}

void ConfigReader::read_yaml(const ConfigSource& source) {
  YAML::Node root;
  try {
    root = load_yaml(source.text);
  } catch (const YAML::Exception& error) {
    problems_.push_back(location(source, error.mark) + "not valid YAML: " + error.msg);
    return;
  }
  if (root.IsNull()) return;
  if (!root.IsMap()) {
    problems_.push_back(location(source, root.Mark()) + "a config is a map of 'key: value'");
    return;
  }
  std::set<std::string> sections;
  for (const auto& entry : root) {
    const YAML::Node& key = entry.first;
    const YAML::Node& value = entry.second;
    const std::string at = location(source, key.Mark());
    if (!key.IsScalar()) {
      problems_.push_back(at + "a key must be a plain name");
    } else if (!is_section(key.Scalar())) {
      set(key.Scalar(), "", value, at, value_location(source, key, value));
    } else if (!sections.insert(key.Scalar()).second) {
      problems_.push_back(str(at, "duplicate section '", key.Scalar(), "'"));
    } else if (value.IsMap()) {
      read_section(source, key.Scalar(), value);
    } else if (!value.IsNull()) {
      problems_.push_back(
          str(value_location(source, key, value), "section '", key.Scalar(), "' must be a map of 'key: value'"));
    }
  }
  from_file_ = given_now_;
}

void ConfigReader::read_section(const ConfigSource& source, const std::string& section, const YAML::Node& map) {
  for (const auto& entry : map) {
    const YAML::Node& key = entry.first;
    const std::string at = location(source, key.Mark());
    if (key.IsScalar()) {
      set(str(section, ".", key.Scalar()), section, entry.second, at, value_location(source, key, entry.second));
    } else {
      problems_.push_back(at + "a key must be a plain name");
    }
  }
}

void ConfigReader::read_overrides(const std::vector<std::string>& overrides) {
  const std::string at = "command line: ";
  given_now_.clear();
  for (const std::string& text : overrides) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      problems_.push_back(str(at, "'", text, "' is not of the form key=value"));
      continue;
    }
    const std::string name = text.substr(0, equals), value = text.substr(equals + 1);
    const ConfigKey* key = find(current_name(name, ""));
    if (value.empty() || value == "null" || value == "~") {
      set(name, "", YAML::Node(YAML::NodeType::Null), at, at);
    } else if (key && std::holds_alternative<std::string*>(key->place)) {
      set(name, "", YAML::Node(value), at, at);  // as typed: a path may hold what YAML reads otherwise
    } else {
      try {
        set(name, "", load_yaml(value), at, at);
      } catch (const YAML::Exception& error) {
        problems_.push_back(str(at, "the value of '", name, "' is not valid YAML: ", error.msg));
      }
    }
  }
}

void ConfigReader::set(const std::string& name, const std::string& section, const YAML::Node& value,
                       const std::string& key_at, const std::string& value_at) {
  const std::string now = current_name(name, key_at);
  const ConfigKey* key = find(now);
  if (!key) return report_unknown(name, section, key_at);
  if (!given_now_.insert(now).second) {
    problems_.push_back(str(key_at, "duplicate key '", name, "'; '", now, "' was already given"));
    return;
  }
  given_at_[now] = value_at;
  if (const std::string wrong = set_value(*key, value); !wrong.empty()) problems_.push_back(value_at + wrong);
}

const ConfigKey* ConfigReader::find(std::string_view name) const {
  for (const ConfigKey& key : keys_) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

bool ConfigReader::is_section(std::string_view name) const {
  for (const ConfigKey& key : keys_) {
    if (!name.empty() && key.section() == name) return true;
  }
  return false;
}

// The name that a renamed key has today; a warning for it where `at` is given.
std::string ConfigReader::current_name(const std::string& name, const std::string& at) {
  for (const RenamedKey& key : renamed_) {
    if (key.old_name != name) continue;
    if (!at.empty())
      warnings_.push_back(str(at, "'", name, "' is now called '", key.new_name, "'; the old name will go"));
    return std::string(key.new_name);
  }
  return name;
}

std::string ConfigReader::suggestion(const std::string& name) const {
  const size_t dot = name.find('.');
  const std::string section = dot == std::string::npos ? "" : name.substr(0, dot);
  const std::string leaf = name.substr(dot == std::string::npos ? 0 : dot + 1);
  std::map<std::string, std::vector<std::string>> by_leaf;  // a leaf's full names
  std::vector<std::string> leaves, own_leaves, names, tops;
  for (const ConfigKey& key : keys_) {
    const std::string key_leaf(key.leaf());
    by_leaf[key_leaf].emplace_back(key.name);
    leaves.push_back(key_leaf);
    names.emplace_back(key.name);
    tops.emplace_back(key.section().empty() ? key.name : key.section());
    if (key.section() == section) own_leaves.push_back(key_leaf);
  }
  // In turn: the right name in the wrong place, a slip within the section, a slip in a section's name, one anywhere.
  if (by_leaf.count(leaf) && by_leaf[leaf].size() == 1) return by_leaf[leaf][0];
  if (!section.empty()) {
    if (const std::string near = nearest_word(leaf, own_leaves); !near.empty()) return section + "." + near;
    if (const std::string near = nearest_word(name, names); !near.empty()) return near;
  } else if (const std::string near = nearest_word(leaf, tops); !near.empty()) {
    return near;
  }
  const std::string near = nearest_word(leaf, leaves);
  return near.empty() || by_leaf[near].size() > 1 ? "" : by_leaf[near][0];
}

void ConfigReader::report_unknown(const std::string& name, const std::string& section, const std::string& at) {
  const std::string prefix = section.empty() ? "" : section + ".";
  std::string near = suggestion(name);
  if (!prefix.empty() && near.starts_with(prefix)) near = near.substr(prefix.size());
  problems_.push_back(str(at, "unknown key '", name.substr(prefix.size()), "'",
                          section.empty() ? "" : " in '" + section + "'",
                          near.empty() ? "; docs/config.md lists all keys" : "; did you mean '" + near + "'?"));
}

void ConfigReader::resolve_path(const ConfigKey& key, const std::string& folder) {
  std::string& text = *std::get<std::string*>(key.place);
  if (text.empty()) return;
  // A path that cannot even be looked up is left for the one who opens it to report.
  std::error_code error;
  fs::path found;
  if (fs::exists(text, error)) {
    found = text;
  } else if (from_file_.count(key.name) && !given_now_.count(key.name) && fs::exists(fs::path(folder) / text, error)) {
    found = fs::path(folder) / text;
  } else {
    return;
  }
  const fs::path absolute = fs::absolute(found, error);
  if (!error) text = absolute.lexically_normal().string();
}

LoadedConfig ConfigReader::finish(const std::string& folder) {
  for (const ConfigKey& key : keys_) {
    if (key.info.path) resolve_path(key, folder);
  }
  for (const ConfigKey& key : keys_)
    if (const auto given = given_at_.find(key.name); given != given_at_.end() && !key.serves(config_.task))
      warnings_.push_back(str(given->second, "'", key.name, "' has no effect with task ", config_.task));
  if (problems_.empty()) {
    for (const ConfigConflict& conflict : find_conflicts(config_)) {
      std::string at = "config: ";
      for (const std::string_view name : conflict.keys) {
        if (const auto given = given_at_.find(name); given != given_at_.end()) at = given->second;
      }
      (conflict.refused ? problems_ : warnings_).push_back(at + conflict.message);
    }
  }
  std::string all;
  for (const std::string& problem : problems_) all += (all.empty() ? "" : "\n") + problem;
  if (!all.empty()) GHOST_FAIL(kUsage, all);
  return {config_, warnings_};
}

// The task that a config asks for; what cannot be read is left for the reader to report.
std::string asked_task(const ConfigSource& source, const std::vector<std::string>& overrides) {
  constexpr std::string_view kKey = "task=";
  for (auto text = overrides.rbegin(); text != overrides.rend(); ++text)
    if (text->starts_with(kKey)) return text->substr(kKey.size());
  try {
    const YAML::Node root = load_yaml(source.text);
    if (root.IsMap() && root["task"] && root["task"].IsScalar()) return root["task"].Scalar();
  } catch (const YAML::Exception&) {
  }
  return "classify";
}

}  // namespace

Config default_config(std::string_view task) {
  Config config;
  if (task != "detect") return config;
  config.task = task;
  config.model.name = "ghostnet-yolov4";
  config.data.format = "voc";
  config.input.size = 416;
  config.train.epochs = 100;
  config.train.batch_size = 8;
  config.train.max_grad_norm = 10;
  // Adam learns on small sets where SGD's recipe ends at mAP 0.
  config.optimizer = {.name = "adamw", .learning_rate = 1e-3, .min_learning_rate = 1e-5, .weight_decay = 5e-4};
  config.schedule.warmup_epochs = 2;
  config.loss.label_smoothing = 0;
  config.ema.decay = 0.998;
  return config;
}

const std::vector<RenamedKey>& renamed_keys() {
  static const std::vector<RenamedKey> none;
  return none;
}

LoadedConfig parse_config(const ConfigSource& source, const std::vector<std::string>& overrides,
                          const std::vector<RenamedKey>& renamed) {
  GHOST_CHECK(source.text.size() <= kLargestFile, source.source, ": ", source.text.size(),
              " bytes is too much for a config; ", kLargestFile, " is the most. Is it another kind of file?");
  ConfigReader reader(renamed, default_config(asked_task(source, overrides)));
  reader.read_yaml(source);
  reader.read_overrides(overrides);
  return reader.finish(source.folder);
}

LoadedConfig load_config(const std::string& path, const std::vector<std::string>& overrides) {
  if (path.empty()) return parse_config({}, overrides);
  GHOST_CHECK(fs::is_regular_file(path), "config '", path, "': ", fs::exists(path) ? "not a file" : "no such file");
  std::ifstream file(path, std::ios::binary);
  std::string text(kLargestFile + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  GHOST_CHECK(file.eof() || file.gcount() > 0, "config '", path, "' could not be read");
  text.resize(static_cast<size_t>(file.gcount()));
  return parse_config({text, path, fs::path(path).parent_path().string()}, overrides);
}

std::vector<std::string> join_overrides(const std::vector<std::string>& arguments) {
  std::vector<std::string> joined;
  bool value_missing = false, list_open = false, after_lone_equals = false;
  for (const std::string& argument : arguments) {
    const bool has_equals = argument.find('=') != std::string::npos;
    if (list_open) {
      joined.back() += " " + argument;
    } else if (!joined.empty() && argument.starts_with('=') && joined.back().find('=') == std::string::npos) {
      joined.back() += argument;
    } else if (value_missing && (after_lone_equals || !has_equals)) {
      // "a = b=1" gives a the value "b=1"; "a= b=1" gives a no value, and b 1.
      joined.back() += argument;
    } else {
      joined.push_back(argument);
    }
    const std::string& text = joined.back();
    const size_t equals = text.find('=');
    value_missing = equals != std::string::npos && equals + 1 == text.size();
    after_lone_equals = argument == "=";
    list_open =
        equals != std::string::npos && text.substr(equals + 1).starts_with('[') && text.find(']') == std::string::npos;
  }
  return joined;
}

}  // namespace ghost
