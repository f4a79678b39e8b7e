// metrics.csv: a row of numbers per epoch. Its columns are fixed when the file is made.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ghost {

class MetricsCsv {
 public:
  // Opens `path`, or makes it with a header. An existing file must have the same columns, else kUsage; a last row that
  // a kill left unfinished is dropped. Column names hold no comma, quote or line break.
  MetricsCsv(std::string path, std::vector<std::string> columns);

  // Adds a row; columns that are not named stay empty, a name that is no column is our bug. On disk when it returns, so
  // write the row before the checkpoint that counts it. Throws kDisk.
  void append(const std::vector<std::pair<std::string_view, double>>& values);

  // Drops the rows whose `column` is above `last`: those a run wrote after the checkpoint it is resumed from. With the
  // rows written again the file equals a straight run's.
  void truncate_after(std::string_view column, double last);

  // Every row of one column; NaN where empty. For the curves.
  std::vector<double> column(std::string_view name) const;
  size_t rows() const { return rows_.size(); }

 private:
  size_t index_of(std::string_view name) const;
  std::string text() const;

  std::string path_;
  std::vector<std::string> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace ghost
