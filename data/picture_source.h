// The pictures of a data set as they are wanted: read or taken from the cache, and what happens to those that cannot be
// read. Any number of threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "data/decode.h"
#include "data/pixel_cache.h"

namespace ghost {

enum class OnCorrupt {
  // An unreadable picture is passed over, reported once and counted. In training the next readable one (by index) takes
  // its place, so batch sizes stay; in evaluation it is left out, so it does not count twice.
  kSkip,
  kError,  // reading throws kData with the file
};

struct PictureSourceOptions {
  OnCorrupt on_corrupt = OnCorrupt::kSkip;
  int64_t cache_bytes = 0;  // memory for decoded pictures, 0 is none
  DecodeOptions decode{};
};

class PictureSource {
 public:
  PictureSource(std::vector<std::string> paths, const PictureSourceOptions& options);

  struct Picture {
    int64_t sample = -1;
    const Image* image = nullptr;  // in the cache or in the scratch image; nullptr: not readable
    std::shared_ptr<const Image> kept;
  };
  // `wanted`, or where it is corrupt and `replace` is set, the next readable one by index.
  Picture take(int64_t wanted, bool replace, Image& scratch);

  int64_t count() const { return static_cast<int64_t>(paths_.size()); }
  // Corrupt pictures met so far, and the messages about those met since the last call.
  int64_t corrupt_count() const;
  std::vector<std::string> take_messages();

 private:
  bool read(int64_t sample, Image& scratch, Picture& picture);

  const std::vector<std::string> paths_;
  const PictureSourceOptions options_;
  std::optional<PixelCache> cache_;
  std::vector<std::atomic<bool>> corrupt_;  // per sample
  mutable std::mutex mutex_;
  std::vector<std::string> messages_;
  int64_t corrupt_count_ = 0;
};

// The pictures of a list of samples, of any kind with a path.
template <class Sample>
std::vector<std::string> paths_of(const std::vector<Sample>& samples) {
  std::vector<std::string> paths;
  for (const Sample& sample : samples) paths.push_back(sample.path);
  return paths;
}

}  // namespace ghost
