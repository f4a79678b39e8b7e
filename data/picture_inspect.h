// One picture file as `check` sees it, and files with the same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/decode.h"

namespace ghost {

using FileHash = std::pair<uint64_t, uint64_t>;  // XXH3 of the bytes
constexpr FileHash kNoHash{0, 0};                // an unreadable or empty file

struct PictureFinding {
  FileHash hash = kNoHash;
  std::string reason;  // "" when readable
  bool zero_byte = false;
  int width = 0, height = 0;  // of the upright picture
};

// Reads, hashes and decodes each file, on the compute threads.
std::vector<PictureFinding> inspect_pictures(const std::vector<std::string>& paths, const DecodeOptions& options = {});

// Groups of two or more files with the same bytes, each in order; indices into `hashes`.
std::vector<std::vector<int64_t>> same_files(const std::vector<FileHash>& hashes);

// Pairs (of the first, of the second list) with the same bytes; each of the second is named once.
std::vector<std::pair<int64_t, int64_t>> shared_files(const std::vector<FileHash>& first,
                                                      const std::vector<FileHash>& second);

}  // namespace ghost
