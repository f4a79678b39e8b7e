// Decoded pictures kept in memory, up to a limit. Once full, later pictures are not kept (and none is thrown out: a
// random order would only churn). Any number of threads.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "data/image.h"

namespace ghost {

class PixelCache {
 public:
  PixelCache(int64_t samples, int64_t limit_bytes) : images_(static_cast<size_t>(samples)), limit_(limit_bytes) {}

  // nullptr when it is not kept.
  std::shared_ptr<const Image> find(int64_t sample) const;
  // Keeps a copy when there is room.
  void store(int64_t sample, const Image& image);
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  std::mutex& mutex_of(int64_t sample) const { return mutexes_[static_cast<size_t>(sample) % mutexes_.size()]; }

  std::vector<std::shared_ptr<const Image>> images_;
  mutable std::array<std::mutex, 64> mutexes_;
  const int64_t limit_;
  std::atomic<int64_t> bytes_{0};
};

}  // namespace ghost
