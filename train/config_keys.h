// The one list of config keys. To add a key: a member in config.h, a line in config_keys.cpp.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "train/config.h"

namespace ghost {

// An interval; an open end is not part of it. Unbounded as it stands.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open_low = false, open_high = false;

  bool contains(double value) const {
    return (open_low ? value > low : value >= low) && (open_high ? value < high : value <= high);
  }
  // "at least 1", "above 0", "0 to 1", "0 to below 1"; empty where unbounded.
  std::string text() const;
};

enum class KeyTask { kBoth, kClassify, kDetect };

struct KeyInfo {
  Range range{};                            // of a number, or of each number of a list
  std::vector<std::string_view> choices{};  // of a text; empty: any
  std::string_view unit{};
  KeyTask task = KeyTask::kBoth;
  bool path = false;  // a file or folder that the run reads
  std::string_view help;
};

// Where a key's value lies. std::span: a list of fixed length.
using KeyPlace = std::variant<bool*, int64_t*, double*, std::string*, std::span<double>, std::vector<int64_t>*>;

struct ConfigKey {
  std::string_view name;  // dotted
  KeyPlace place;
  KeyInfo info;

  std::string_view section() const;  // "train" of "train.epochs"; empty for "device"
  std::string_view leaf() const;     // "epochs"
  bool serves(std::string_view task) const {
    return info.task == KeyTask::kBoth || (info.task == KeyTask::kDetect) == (task == "detect");
  }
  std::string type_text() const;  // "integer", "list of 3 numbers"
};

// Every key, bound to its place in `config`, in the order of the file. Sections lie together.
std::vector<ConfigKey> config_keys(Config& config);

}  // namespace ghost
