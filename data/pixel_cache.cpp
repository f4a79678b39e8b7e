#include "data/pixel_cache.h"

namespace ghost {

std::shared_ptr<const Image> PixelCache::find(int64_t sample) const {
  std::lock_guard lock(mutex_of(sample));
  return images_[static_cast<size_t>(sample)];
}

void PixelCache::store(int64_t sample, const Image& image) {
  const int64_t size = static_cast<int64_t>(image.pixels.size());
  if (bytes_.load(std::memory_order_relaxed) + size > limit_) return;
  auto copy = std::make_shared<const Image>(image);
  std::lock_guard lock(mutex_of(sample));
  std::shared_ptr<const Image>& place = images_[static_cast<size_t>(sample)];
  if (place != nullptr) return;
  // Asked again under the lock, as one step: two threads must not both take the last room.
  if (bytes_.fetch_add(size, std::memory_order_relaxed) + size > limit_) {
    bytes_.fetch_sub(size, std::memory_order_relaxed);
    return;
  }
  place = std::move(copy);
}

}  // namespace ghost
