// What `check` says about a data set: every picture is decoded and every file's contents are compared. Nothing is
// changed.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/decode.h"
#include "data/image_folder.h"
#include "data/picture_inspect.h"

namespace ghost {

struct FolderReport {
  struct Problem {
    int64_t sample = 0;  // index into ImageFolder::samples
    std::string reason;
  };
  int64_t readable = 0;
  std::vector<Problem> unreadable;  // damaged, truncated, no permission, ...; zero-byte files are not among them
  std::vector<int64_t> zero_byte;
  // Groups of two or more samples with the same bytes, each in order.
  std::vector<std::vector<int64_t>> duplicates;
  // Those of the groups whose samples have different labels: at least one is wrong.
  std::vector<std::vector<int64_t>> conflicting;
  int smallest_side = 0, largest_side = 0;  // over the readable pictures, pixels

  std::vector<FileHash> hashes;  // for overlap()
};

// Runs on the compute threads (core/parallel.h); the result does not depend on their number.
FolderReport inspect_folder(const ImageFolder& folder, const DecodeOptions& options = {});

// Pairs of samples (of the first, of the second folder) with the same bytes: a validation picture that was trained on.
// Each sample of the second folder is named once.
std::vector<std::pair<int64_t, int64_t>> overlap(const FolderReport& first, const FolderReport& second);

}  // namespace ghost
