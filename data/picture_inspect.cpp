#include "data/picture_inspect.h"

#include <xxhash.h>

#include <algorithm>
#include <map>

#include "core/error.h"
#include "core/parallel.h"
#include "data/file_bytes.h"

namespace ghost {
namespace {

PictureFinding inspect(const std::string& path, const DecodeOptions& options) {
  thread_local std::vector<uint8_t> bytes;
  thread_local Image image;
  PictureFinding finding;
  try {
    read_file(path, bytes);
    finding.zero_byte = bytes.empty();
    if (!bytes.empty()) {
      const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
      finding.hash = {hash.high64, hash.low64};
    }
    decode_image(bytes, path, image, options);
    finding.width = image.width;
    finding.height = image.height;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kData) throw;
    finding.reason = error.message();
  }
  return finding;
}

}  // namespace

std::vector<PictureFinding> inspect_pictures(const std::vector<std::string>& paths, const DecodeOptions& options) {
  std::vector<PictureFinding> findings(paths.size());
  parallel_for(static_cast<int64_t>(paths.size()),
               [&](int64_t i) { findings[static_cast<size_t>(i)] = inspect(paths[static_cast<size_t>(i)], options); });
  return findings;
}

std::vector<std::vector<int64_t>> same_files(const std::vector<FileHash>& hashes) {
  std::map<FileHash, std::vector<int64_t>> by_hash;
  for (size_t i = 0; i < hashes.size(); ++i)
    if (hashes[i] != kNoHash) by_hash[hashes[i]].push_back(static_cast<int64_t>(i));
  std::vector<std::vector<int64_t>> groups;
  for (auto& [hash, files] : by_hash)
    if (files.size() >= 2) groups.push_back(std::move(files));
  std::sort(groups.begin(), groups.end());
  return groups;
}

std::vector<std::pair<int64_t, int64_t>> shared_files(const std::vector<FileHash>& first,
                                                      const std::vector<FileHash>& second) {
  std::map<FileHash, int64_t> known;
  for (size_t i = 0; i < first.size(); ++i)
    if (first[i] != kNoHash) known.emplace(first[i], static_cast<int64_t>(i));
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (size_t i = 0; i < second.size(); ++i) {
    const auto found = known.find(second[i]);
    if (found != known.end()) pairs.emplace_back(found->second, static_cast<int64_t>(i));
  }
  return pairs;
}

}  // namespace ghost
