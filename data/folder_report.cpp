#include "data/folder_report.h"

#include <xxhash.h>

#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/parallel.h"
#include "data/file_bytes.h"

namespace ghost {
namespace {

using Hash = std::pair<uint64_t, uint64_t>;
constexpr Hash kNoHash{0, 0};

struct Finding {
  Hash hash = kNoHash;
  std::string reason;  // "" when readable
  bool zero_byte = false;
  int smaller_side = 0, larger_side = 0;
};

Finding inspect(const std::string& path, const DecodeOptions& options) {
  thread_local std::vector<uint8_t> bytes;
  thread_local Image image;
  Finding finding;
  try {
    read_file(path, bytes);
    finding.zero_byte = bytes.empty();
    if (!bytes.empty()) {
      const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
      finding.hash = {hash.high64, hash.low64};
    }
    decode_image(bytes, path, image, options);
    finding.smaller_side = std::min(image.width, image.height);
    finding.larger_side = std::max(image.width, image.height);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kData) throw;
    finding.reason = error.message();
  }
  return finding;
}

void find_duplicates(const ImageFolder& folder, FolderReport& report) {
  std::map<Hash, std::vector<int64_t>> groups;
  for (size_t i = 0; i < report.hashes.size(); ++i)
    if (report.hashes[i] != kNoHash) groups[report.hashes[i]].push_back(static_cast<int64_t>(i));
  for (auto& [hash, samples] : groups)
    if (samples.size() >= 2) report.duplicates.push_back(std::move(samples));
  std::sort(report.duplicates.begin(), report.duplicates.end());
  const auto label = [&](int64_t sample) { return folder.samples[static_cast<size_t>(sample)].label; };
  for (const std::vector<int64_t>& group : report.duplicates)
    if (std::any_of(group.begin(), group.end(), [&](int64_t sample) { return label(sample) != label(group[0]); }))
      report.conflicting.push_back(group);
}

}  // namespace

FolderReport inspect_folder(const ImageFolder& folder, const DecodeOptions& options) {
  std::vector<Finding> findings(folder.samples.size());
  parallel_for(static_cast<int64_t>(findings.size()), [&](int64_t i) {
    findings[static_cast<size_t>(i)] = inspect(folder.samples[static_cast<size_t>(i)].path, options);
  });
  FolderReport report;
  for (size_t i = 0; i < findings.size(); ++i) {
    Finding& finding = findings[i];
    report.hashes.push_back(finding.hash);
    if (finding.zero_byte) {
      report.zero_byte.push_back(static_cast<int64_t>(i));
    } else if (!finding.reason.empty()) {
      report.unreadable.push_back({static_cast<int64_t>(i), std::move(finding.reason)});
    } else {
      const bool first = report.readable++ == 0;
      report.smallest_side = first ? finding.smaller_side : std::min(report.smallest_side, finding.smaller_side);
      report.largest_side = std::max(report.largest_side, finding.larger_side);
    }
  }
  find_duplicates(folder, report);
  return report;
}

std::vector<std::pair<int64_t, int64_t>> overlap(const FolderReport& first, const FolderReport& second) {
  std::map<Hash, int64_t> known;
  for (size_t i = 0; i < first.hashes.size(); ++i)
    if (first.hashes[i] != kNoHash) known.emplace(first.hashes[i], static_cast<int64_t>(i));
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (size_t i = 0; i < second.hashes.size(); ++i) {
    const auto found = known.find(second.hashes[i]);
    if (found != known.end()) pairs.emplace_back(found->second, static_cast<int64_t>(i));
  }
  return pairs;
}

}  // namespace ghost
