// How `check` and `data convert` list what they find.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "train/config.h"
#include "train/log.h"

namespace ghost {

template <class List, class Text>
void list_problems(Log& log, const std::string& title, const List& list, const Text& text) {
  constexpr size_t kListed = 10;
  if (list.empty()) return;
  log.line(fmt::format("  {}: {}", title, list.size()));
  for (size_t i = 0; i < list.size() && i < kListed; ++i) log.line("    " + text(list[i]));
  if (list.size() > kListed) log.line(fmt::format("    ... and {} more", list.size() - kListed));
}

template <class Sample>
const std::string& path_of(const std::vector<Sample>& samples, int64_t index) {
  return samples[static_cast<size_t>(index)].path;
}

// Files with the same bytes, on one line.
template <class Sample>
std::string equal_paths(const std::vector<Sample>& samples, const std::vector<int64_t>& indices) {
  std::string text;
  for (const int64_t index : indices) text += (text.empty() ? "" : "  =  ") + path_of(samples, index);
  return text;
}

// Reports on data.train and data.val of a detector's config. Returns the exit code.
int check_boxes(Log& log, const Config& config);

}  // namespace ghost
