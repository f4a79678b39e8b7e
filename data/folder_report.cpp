#include "data/folder_report.h"

#include <algorithm>

#include "data/picture_source.h"

namespace ghost {

FolderReport inspect_folder(const ImageFolder& folder, const DecodeOptions& options) {
  std::vector<PictureFinding> findings = inspect_pictures(paths_of(folder.samples), options);
  FolderReport report;
  for (size_t i = 0; i < findings.size(); ++i) {
    PictureFinding& finding = findings[i];
    report.hashes.push_back(finding.hash);
    if (finding.zero_byte) {
      report.zero_byte.push_back(static_cast<int64_t>(i));
    } else if (!finding.reason.empty()) {
      report.unreadable.push_back({static_cast<int64_t>(i), std::move(finding.reason)});
    } else {
      const bool first = report.readable++ == 0;
      const auto [smaller, larger] = std::minmax(finding.width, finding.height);
      report.smallest_side = first ? smaller : std::min(report.smallest_side, smaller);
      report.largest_side = std::max(report.largest_side, larger);
    }
  }
  report.duplicates = same_files(report.hashes);
  const auto label = [&](int64_t sample) { return folder.samples[static_cast<size_t>(sample)].label; };
  for (const std::vector<int64_t>& group : report.duplicates)
    if (std::any_of(group.begin(), group.end(), [&](int64_t sample) { return label(sample) != label(group[0]); }))
      report.conflicting.push_back(group);
  return report;
}

std::vector<std::pair<int64_t, int64_t>> overlap(const FolderReport& first, const FolderReport& second) {
  return shared_files(first.hashes, second.hashes);
}

}  // namespace ghost
