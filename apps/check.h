// What `check` was asked for, and how it lists what it finds.
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

// Reports on data.train and data.val of a detector's config. Returns the exit code.
int check_boxes(Log& log, const Config& config);

}  // namespace ghost
