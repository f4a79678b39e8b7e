#include "data/loader.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "data/mix.h"
#include "data/streams.h"

namespace ghost {
std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t{0});
  Rng rng(seed, stream_id(kShuffleStream, static_cast<uint64_t>(epoch)));
  for (int64_t i = count - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(rng.below(i + 1))]);
  return order;
}

Loader::Loader(ImageFolder data, const Preprocess& preprocess, const LoaderOptions& options,
               const std::optional<AugmentOptions>& augment)
    : data_(std::move(data)),
      preprocess_(preprocess),
      options_(options),
      training_(augment.has_value()),
      next_augment_(augment.value_or(AugmentOptions{})),
      pictures_(paths_of(data_.samples), {options.on_corrupt, options.cache_bytes, options.decode}),
      slots_(static_cast<size_t>(std::max(options.prefetch, 1)) + 1),
      pipeline_(
          {.workers = options.workers, .slots = static_cast<int>(slots_.size())},
          {.item = [this](int slot, int64_t item,
                          int64_t place) { make_sample(slots_[static_cast<size_t>(slot)], item, place); },
           .finish = [this](int slot, int64_t first,
                            int64_t places) { finish_batch(slots_[static_cast<size_t>(slot)], first, places); }}) {
  check_preprocess(preprocess);
  check_augment(next_augment_);
  GHOST_CHECK(options.batch_size >= 1, "batch_size is ", options.batch_size, "; at least 1");
  GHOST_CHECK_AS(kData, !data_.samples.empty(), "the data set '", data_.root, "' has no pictures");
  GHOST_CHECK_AS(kData, samples_per_epoch() >= 1, "'", data_.root, "' has ", count(),
                 " training pictures, fewer than one batch of ", options.batch_size, ". Lower batch_size");
  const int64_t n = options.batch_size, side = preprocess.size;
  for (Slot& slot : slots_) {
    slot.images = Tensor({n, side, side, 3});
    slot.labels = Tensor({n}, {DType::kInt64, Device::cpu()});
    slot.labels_b = Tensor({n}, {DType::kInt64, Device::cpu()});
    slot.samples.resize(static_cast<size_t>(n));
  }
}

int64_t Loader::end_of_epoch(int64_t first_sample) const {
  if (!training_ || !options_.drop_last) return count();
  return first_sample + (count() - first_sample) / options_.batch_size * options_.batch_size;
}

void Loader::set_augment(const AugmentOptions& augment) {
  GHOST_CHECK(training_, "this loader is for evaluation; it does not augment");
  check_augment(augment);
  next_augment_ = augment;
}

void Loader::start_epoch(int64_t epoch, int64_t first_sample) {
  GHOST_CHECK(first_sample >= 0 && first_sample <= count(), "an epoch of ", count(), " samples cannot begin at ",
              first_sample);
  pipeline_.cancel();
  epoch_ = epoch;
  augment_ = next_augment_;
  if (training_) order_ = epoch_order(count(), options_.seed, epoch);
  pipeline_.start(first_sample, end_of_epoch(first_sample), options_.batch_size);
}

const Batch* Loader::next() {
  for (;;) {
    const int slot = pipeline_.next();
    if (slot < 0) return nullptr;
    const Batch& batch = slots_[static_cast<size_t>(slot)].batch;
    if (batch.size() > 0) return &batch;  // an evaluation batch of corrupt pictures only is passed over
  }
}

void Loader::make_sample(Slot& slot, int64_t position, int64_t place) {
  thread_local Image decoded, resized;
  const int64_t wanted = training_ ? order_[static_cast<size_t>(position)] : position;
  const PictureSource::Picture picture = pictures_.take(wanted, training_, decoded);
  if (picture.sample != wanted) slot.skipped.fetch_add(1, std::memory_order_relaxed);
  slot.samples[static_cast<size_t>(place)] = picture.sample;
  if (picture.image == nullptr) {
    GHOST_CHECK_AS(kData, !training_, "none of the ", count(), " pictures of '", data_.root, "' can be read");
    return;
  }
  float* out = slot.images.data<float>() + place * preprocess_.size * preprocess_.size * 3;
  if (training_) {
    Rng rng(options_.seed, stream_id(kAugmentStream, static_cast<uint64_t>(epoch_), static_cast<uint64_t>(wanted)));
    augment(*picture.image, preprocess_, augment_, rng, resized, out);
  } else {
    resize_and_crop(*picture.image, preprocess_, resized);
    normalize(resized, preprocess_, out);
  }
  slot.labels.data<int64_t>()[place] = data_.samples[static_cast<size_t>(picture.sample)].label;
}

// Closes the gaps that corrupt pictures of an evaluation left.
void Loader::drop_left_out(Slot& slot, int64_t places) {
  const int64_t size = int64_t{3} * preprocess_.size * preprocess_.size;
  float* images = slot.images.data<float>();
  int64_t* labels = slot.labels.data<int64_t>();
  std::vector<int64_t>& kept = slot.batch.samples;
  kept.clear();
  for (int64_t place = 0; place < places; ++place) {
    if (slot.samples[static_cast<size_t>(place)] < 0) continue;
    const int64_t to = static_cast<int64_t>(kept.size());
    if (to != place) {
      std::copy_n(images + place * size, size, images + to * size);
      labels[to] = labels[place];
    }
    kept.push_back(slot.samples[static_cast<size_t>(place)]);
  }
}

void Loader::finish_batch(Slot& slot, int64_t first, int64_t places) {
  Batch& batch = slot.batch;
  drop_left_out(slot, places);
  const int64_t n = batch.size();
  batch.skipped = slot.skipped.exchange(0, std::memory_order_relaxed);
  batch.first_sample = first;
  batch.end_sample = first + places;
  batch.images = slot.images.rows(0, n);
  batch.labels = slot.labels.rows(0, n);
  batch.labels_b = batch.labels;
  batch.mix = 1;
  if (!training_ || (augment_.mixup <= 0 && augment_.cutmix <= 0)) return;
  Rng rng(options_.seed, stream_id(kMixStream, static_cast<uint64_t>(epoch_), static_cast<uint64_t>(first)));
  batch.mix = mix_batch(slot.images.data<float>(), n, preprocess_.size, preprocess_.size, augment_, rng);
  std::reverse_copy(slot.labels.data<int64_t>(), slot.labels.data<int64_t>() + n, slot.labels_b.data<int64_t>());
  batch.labels_b = slot.labels_b.rows(0, n);
}

}  // namespace ghost
