#include "data/picture_source.h"

#include <utility>

#include "core/error.h"

namespace ghost {

PictureSource::PictureSource(std::vector<std::string> paths, const PictureSourceOptions& options)
    : paths_(std::move(paths)), options_(options), corrupt_(paths_.size()) {
  if (options.cache_bytes > 0) cache_.emplace(count(), options.cache_bytes);
}

// Reads a sample, or notes that it is corrupt.
bool PictureSource::read(int64_t sample, Image& scratch, Picture& picture) {
  std::atomic<bool>& corrupt = corrupt_[static_cast<size_t>(sample)];
  if (corrupt.load(std::memory_order_relaxed)) return false;
  picture.sample = sample;
  if (cache_) picture.kept = cache_->find(sample);
  picture.image = picture.kept.get();
  if (picture.image != nullptr) return true;
  try {
    read_image(paths_[static_cast<size_t>(sample)], scratch, options_.decode);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kData || options_.on_corrupt == OnCorrupt::kError) throw;
    if (corrupt.exchange(true)) return false;
    std::lock_guard lock(mutex_);
    messages_.push_back(error.message());
    ++corrupt_count_;
    return false;
  }
  if (cache_) cache_->store(sample, scratch);
  picture.image = &scratch;
  return true;
}

PictureSource::Picture PictureSource::take(int64_t wanted, bool replace, Image& scratch) {
  Picture picture;
  int64_t sample = wanted;
  for (int64_t tries = replace ? count() : 1; tries > 0; --tries, sample = (sample + 1) % count())
    if (read(sample, scratch, picture)) return picture;
  return {};
}

int64_t PictureSource::corrupt_count() const {
  std::lock_guard lock(mutex_);
  return corrupt_count_;
}

std::vector<std::string> PictureSource::take_messages() {
  std::lock_guard lock(mutex_);
  return std::exchange(messages_, {});
}

}  // namespace ghost
