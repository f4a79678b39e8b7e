#include "train/number_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace ghost {

std::string shortest(double value) {
  char text[32];
  // A whole number as people write it, where to_chars would say 1e+05.
  const bool whole = std::abs(value) < 1e15 && value == std::floor(value);
  const auto end = whole ? std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed)
                         : std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end.ptr);
}

std::string duration_text(double seconds) {
  // Beyond a hundred days nobody counts; this also keeps NaN and infinity out of the conversion.
  const int64_t total = seconds >= 0 ? static_cast<int64_t>(std::min(seconds, 8640000.0) + 0.5) : 0;
  const long long hours = total / 3600, minutes = total / 60 % 60, rest = total % 60;
  char text[48];
  if (hours > 0) {
    std::snprintf(text, sizeof(text), "%lld:%02lld:%02lld", hours, minutes, rest);
  } else if (minutes > 0) {
    std::snprintf(text, sizeof(text), "%lld:%02lld", minutes, rest);
  } else {
    std::snprintf(text, sizeof(text), "%lld s", rest);
  }
  return text;
}

}  // namespace ghost
