#include "train/metrics_csv.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "core/atomic_file.h"
#include "core/error.h"
#include "train/number_text.h"

namespace ghost {
namespace {

std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : line) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::string join(const std::vector<std::string>& cells) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) line += (i ? "," : "") + cells[i];
  return line + '\n';
}

double number_of(const std::string& cell) {
  double value = std::numeric_limits<double>::quiet_NaN();
  std::from_chars(cell.data(), cell.data() + cell.size(), value);
  return value;
}

// Adds to the end of a file and to the disk.
void append_durably(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  int error_number = file < 0 ? errno : 0;
  size_t done = 0;
  while (error_number == 0 && done < text.size()) {
    const ssize_t count = ::write(file, text.data() + done, text.size() - done);
    if (count > 0) done += static_cast<size_t>(count);
    if (count == 0) error_number = ENOSPC;
    if (count < 0 && errno != EINTR) error_number = errno;
  }
  if (error_number == 0 && ::fdatasync(file) != 0) error_number = errno;
  if (file >= 0) ::close(file);
  GHOST_CHECK_AS(kDisk, error_number == 0, "could not add a row to '", path, "': ", std::strerror(error_number), " (",
                 text.size(), " bytes needed, ", done, " written, ", free_disk_bytes(path), " bytes free there)");
}

}  // namespace

MetricsCsv::MetricsCsv(std::string path, std::vector<std::string> columns)
    : path_(std::move(path)), columns_(std::move(columns)) {
  if (!std::filesystem::exists(path_)) {
    write_file_atomically(path_, text());
    return;
  }
  std::ifstream file(path_, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), {}};
  GHOST_CHECK_AS(kDisk, !file.bad(), "could not read '", path_, "'");
  const size_t whole = content.rfind('\n') + 1;  // 0 where there is no line break
  const bool unfinished = whole < content.size();
  content.resize(whole);

  const std::vector<std::string> lines = split(content, '\n');
  GHOST_CHECK(lines[0] + '\n' == join(columns_), "'", path_, "' has the columns '", lines[0],
              "', but this run writes '", join(columns_).substr(0, join(columns_).size() - 1),
              "'. Move the file away, or use another run folder.");
  for (size_t i = 1; i + 1 < lines.size(); ++i) {
    std::vector<std::string> cells = split(lines[i], ',');
    GHOST_CHECK(cells.size() == columns_.size(), path_, ":", i + 1, ": ", cells.size(), " values for ", columns_.size(),
                " columns. Mend or move the file.");
    rows_.push_back(std::move(cells));
  }
  if (unfinished) write_file_atomically(path_, text());
}

void MetricsCsv::append(const std::vector<std::pair<std::string_view, double>>& values) {
  std::vector<std::string> row(columns_.size());
  for (const auto& [name, value] : values) row[index_of(name)] = shortest(value);
  append_durably(path_, join(row));
  rows_.push_back(std::move(row));
}

void MetricsCsv::truncate_after(std::string_view column, double last) {
  const size_t index = index_of(column);
  const size_t before = rows_.size();
  rows_.erase(std::remove_if(rows_.begin(), rows_.end(), [&](const auto& row) { return number_of(row[index]) > last; }),
              rows_.end());
  if (rows_.size() < before) write_file_atomically(path_, text());
}

std::vector<double> MetricsCsv::column(std::string_view name) const {
  const size_t index = index_of(name);
  std::vector<double> values;
  for (const auto& row : rows_) values.push_back(number_of(row[index]));
  return values;
}

size_t MetricsCsv::index_of(std::string_view name) const {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  GHOST_ASSERT(found != columns_.end(), "'" + path_ + "' has no column '" + std::string(name) + "'");
  return static_cast<size_t>(found - columns_.begin());
}

std::string MetricsCsv::text() const {
  std::string text = join(columns_);
  for (const auto& row : rows_) text += join(row);
  return text;
}

}  // namespace ghost
