#include "data/detection_source.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "data/file_bytes.h"
#include "data/image_folder.h"

namespace ghost {

namespace fs = std::filesystem;

std::string read_text(const std::string& path, int64_t max_bytes) {
  std::vector<uint8_t> bytes;
  read_file(path, bytes, max_bytes);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::vector<std::string_view> text_lines(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
  }
  while (!lines.empty() && trim(lines.back()).empty()) lines.pop_back();
  return lines;
}

std::optional<double> parse_number(std::string_view text) {
  text = trim(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

LineNumbers::LineNumbers(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\n') ends_.push_back(static_cast<int64_t>(i));
}

int64_t LineNumbers::at(int64_t offset) const {
  return 1 + (std::lower_bound(ends_.begin(), ends_.end(), offset) - ends_.begin());
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::vector<fs::path> folder_entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator(); it.increment(error))
    if (!it->path().filename().string().starts_with('.')) entries.push_back(it->path());
  std::sort(entries.begin(), entries.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return entries;
}

PictureNames::PictureNames(const fs::path& folder) {
  for (const fs::path& entry : folder_entries(folder)) {
    if (!has_picture_extension(entry.filename().string())) continue;
    by_stem_.emplace(entry.stem().string(), entry.string());
    by_name_.emplace(entry.filename().string(), entry.string());
  }
}

std::string PictureNames::find(const std::string& name) const {
  if (const auto found = by_name_.find(name); found != by_name_.end()) return found->second;
  const auto found = by_stem_.find(name);
  return found == by_stem_.end() ? "" : found->second;
}

}  // namespace ghost
