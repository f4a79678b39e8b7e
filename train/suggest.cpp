#include "train/suggest.h"

#include <algorithm>
#include <utility>

namespace ghost {
namespace {

std::string initials(std::string_view word) {
  std::string result;
  char before = '_';
  for (const char c : word) {
    if (before == '_' && c != '_') result += c;
    before = c;
  }
  return result;
}

bool abbreviates(std::string_view word, std::string_view candidate) {
  return (word.size() >= 3 && candidate.substr(0, word.size()) == word) ||
         (word.size() >= 2 && initials(candidate) == word);
}

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr size_t kLongest = 64;  // longer words are no typing mistakes, and the distance costs length squared
  if (word.empty() || word.size() > kLongest) return "";
  const std::string* best = nullptr;
  int best_distance = 1 + std::max(1, static_cast<int>(word.size()) / 3);
  for (const std::string& candidate : candidates) {
    const int distance = abbreviates(word, candidate) ? 1 : edit_distance(word, candidate);
    if (distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best ? *best : "";
}

}  // namespace ghost
