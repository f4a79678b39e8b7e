#include "data/detection_loader.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "data/pipeline.h"
#include "data/streams.h"

namespace ghost {
namespace {

// Per thread: canvases and decoded pictures keep their memory.
struct Scratch {
  DetectionCanvas canvas, other;
  std::array<Image, 4> decoded;
};

}  // namespace

struct DetectionLoader::Impl {
  struct Place {
    int64_t sample = -1;  // -1: left out
    std::vector<PlacedBox> boxes;
    Letterbox letterbox;
  };
  struct Slot {
    DetectionBatch batch;
    Tensor pixels;                // {pixels of the largest batch, 3}
    Tensor boxes, labels, first;  // room
    std::vector<Place> places;
    std::atomic<int64_t> skipped{0};
  };

  Impl(DetectionSet set, const Preprocess& preprocess_options, bool keep, const LoaderOptions& loader_options,
       const std::optional<DetectionAugmentOptions>& augment_options);

  int64_t count() const { return static_cast<int64_t>(data.samples.size()); }
  int64_t end_of_epoch(int64_t first_sample) const;
  int input_size(int64_t first_item) const;
  void make_room(Slot& slot, int64_t batch);
  void make_sample(Slot& slot, int64_t item, int64_t place);
  void make_training_sample(const PictureSource::Picture& picture, int64_t wanted, int size, Place& place, float* out);
  void finish_batch(Slot& slot, int64_t first_item, int64_t items);
  LabelledPicture labelled(const PictureSource::Picture& picture) const {
    return {picture.image, &data.samples[static_cast<size_t>(picture.sample)].boxes};
  }

  const DetectionSet data;
  const Preprocess preprocess;
  const bool keep_ratio;
  const LoaderOptions options;
  const bool training;
  DetectionAugmentOptions next_augment, augment;
  int64_t next_batch_size, batch_size;
  int64_t epoch = 0;
  std::vector<int64_t> order;
  PictureSource pictures;
  std::vector<Slot> slots;
  Pipeline pipeline;  // last: its threads use all of the above
};

DetectionLoader::Impl::Impl(DetectionSet set, const Preprocess& preprocess_options, bool keep,
                            const LoaderOptions& loader_options,
                            const std::optional<DetectionAugmentOptions>& augment_options)
    : data(std::move(set)),
      preprocess(preprocess_options),
      keep_ratio(keep),
      options(loader_options),
      training(augment_options.has_value()),
      next_augment(augment_options.value_or(DetectionAugmentOptions{})),
      next_batch_size(options.batch_size),
      batch_size(options.batch_size),
      pictures(paths_of(data.samples), {options.on_corrupt, options.cache_bytes, options.decode}),
      slots(static_cast<size_t>(std::max(options.prefetch, 1)) + 1),
      pipeline({.workers = options.workers, .slots = static_cast<int>(slots.size())},
               {.item = [this](int slot, int64_t item,
                               int64_t place) { make_sample(slots[static_cast<size_t>(slot)], item, place); },
                .finish = [this](int slot, int64_t first,
                                 int64_t items) { finish_batch(slots[static_cast<size_t>(slot)], first, items); }}) {
  check_preprocess(preprocess);
  check_detection_augment(next_augment);
  GHOST_CHECK(batch_size >= 1, "batch_size is ", batch_size, "; at least 1");
  GHOST_CHECK_AS(kData, !data.samples.empty(), "the data set '", data.source, "' has no pictures");
  GHOST_CHECK_AS(kData, end_of_epoch(0) >= 1, "'", data.source, "' has ", count(),
                 " training pictures, fewer than one batch of ", batch_size, ". Lower batch_size");
}

int64_t DetectionLoader::Impl::end_of_epoch(int64_t first_sample) const {
  if (!training || !options.drop_last) return count();
  return first_sample + (count() - first_sample) / batch_size * batch_size;
}

// Multi-scale: a function of the place in training, not of what was drawn before.
int DetectionLoader::Impl::input_size(int64_t first_item) const {
  if (!training || augment.sizes.empty()) return preprocess.size;
  Rng rng(options.seed, stream_id(kSizeStream, static_cast<uint64_t>(epoch), static_cast<uint64_t>(first_item)));
  return augment.sizes[static_cast<size_t>(rng.below(static_cast<int64_t>(augment.sizes.size())))];
}

void DetectionLoader::Impl::make_room(Slot& slot, int64_t batch) {
  int64_t side = preprocess.size;
  for (const int size : augment.sizes) side = std::max<int64_t>(side, size);
  const int64_t pixels = batch * side * side;
  if (!slot.pixels.defined() || slot.pixels.dim(0) < pixels) slot.pixels = Tensor({pixels, 3});
  slot.places.resize(static_cast<size_t>(batch));
}

void DetectionLoader::Impl::make_training_sample(const PictureSource::Picture& picture, int64_t wanted, int size,
                                                 Place& place, float* out) {
  thread_local Scratch scratch;
  const Interpolation interpolation = preprocess.interpolation;
  Rng rng(options.seed, stream_id(kAugmentStream, static_cast<uint64_t>(epoch), static_cast<uint64_t>(wanted)));
  const auto another = [&](size_t i) { return pictures.take(rng.below(count()), true, scratch.decoded[i]); };
  DetectionCanvas& canvas = scratch.canvas;
  canvas.clear(size);
  const bool mosaic = static_cast<double>(rng.uniform()) < augment.mosaic;
  if (mosaic) {
    std::array<PictureSource::Picture, 4> four{picture, another(1), another(2), another(3)};
    for (int64_t i = 3; i > 0; --i)
      std::swap(four[static_cast<size_t>(i)], four[static_cast<size_t>(rng.below(i + 1))]);
    canvas.add_mosaic({labelled(four[0]), labelled(four[1]), labelled(four[2]), labelled(four[3])}, augment,
                      interpolation, rng);
  } else {
    canvas.add_single(labelled(picture), augment, interpolation, rng);
  }
  canvas.change_colors(augment, rng);
  if (mosaic && static_cast<double>(rng.uniform()) < augment.mixup) {
    scratch.other.clear(size);
    const PictureSource::Picture second = another(0);
    scratch.other.add_single(labelled(second), augment, interpolation, rng);
    scratch.other.change_colors(augment, rng);
    canvas.mix(scratch.other);
  }
  place.boxes = canvas.boxes();
  normalize(canvas.image(), preprocess, out);
}

void DetectionLoader::Impl::make_sample(Slot& slot, int64_t item, int64_t place_index) {
  thread_local Image decoded, fitted;
  const int64_t wanted = training ? order[static_cast<size_t>(item)] : item;
  Place& place = slot.places[static_cast<size_t>(place_index)];
  const PictureSource::Picture picture = pictures.take(wanted, training, decoded);
  if (picture.sample != wanted) slot.skipped.fetch_add(1, std::memory_order_relaxed);
  place.sample = picture.sample;
  place.boxes.clear();
  if (picture.image == nullptr) {
    GHOST_CHECK_AS(kData, !training, "none of the ", count(), " pictures of '", data.source, "' can be read");
    return;
  }
  const int size = input_size(item - place_index);
  float* const out = slot.pixels.data<float>() + place_index * size * size * 3;
  if (training) return make_training_sample(picture, wanted, size, place, out);
  place.letterbox = letterbox(*picture.image, size, keep_ratio, preprocess.interpolation, fitted);
  normalize(fitted, preprocess, out);
  for (const BoxLabel& label : *labelled(picture).boxes)
    place.boxes.push_back({place.letterbox.to_input(label.box), label.label});
}

void DetectionLoader::Impl::finish_batch(Slot& slot, int64_t first_item, int64_t items) {
  DetectionBatch& batch = slot.batch;
  const int64_t size = input_size(first_item), picture = size * size * 3;
  batch.samples.clear();
  batch.places.clear();
  int64_t boxes = 0, n = 0;
  for (int64_t i = 0; i < items; ++i) {
    Place& place = slot.places[static_cast<size_t>(i)];
    if (place.sample < 0) continue;  // closes the gap that a corrupt picture of an evaluation left
    if (n != i) {
      float* const pixels = slot.pixels.data<float>();
      std::copy_n(pixels + i * picture, picture, pixels + n * picture);
      std::swap(slot.places[static_cast<size_t>(n)], place);
    }
    const Place& kept = slot.places[static_cast<size_t>(n++)];
    batch.samples.push_back(kept.sample);
    if (!training) batch.places.push_back(kept.letterbox);
    boxes += static_cast<int64_t>(kept.boxes.size());
  }
  const TensorOptions integers{DType::kInt64, Device::cpu()};
  if (!slot.boxes.defined() || slot.boxes.dim(0) < boxes) {
    const int64_t room = std::max<int64_t>(64, 2 * boxes);
    slot.boxes = Tensor({room, 4});
    slot.labels = Tensor({room}, integers);
  }
  if (!slot.first.defined() || slot.first.dim(0) < n + 1) slot.first = Tensor({std::max(n, batch_size) + 1}, integers);
  int64_t next = 0;
  for (int64_t i = 0; i < n; ++i) {
    slot.first.data<int64_t>()[i] = next;
    for (const PlacedBox& placed : slot.places[static_cast<size_t>(i)].boxes) {
      const Box& box = placed.box;
      const double values[4] = {(box.left + box.right) / 2, (box.top + box.bottom) / 2, box.width(), box.height()};
      for (int k = 0; k < 4; ++k) slot.boxes.data<float>()[next * 4 + k] = static_cast<float>(values[k]);
      slot.labels.data<int64_t>()[next++] = placed.label;
    }
  }
  slot.first.data<int64_t>()[n] = next;
  batch.skipped = slot.skipped.exchange(0, std::memory_order_relaxed);
  batch.first_sample = first_item;
  batch.end_sample = first_item + items;
  batch.images = slot.pixels.rows(0, n * size * size).reshape({n, size, size, 3});
  batch.boxes = slot.boxes.rows(0, next);
  batch.labels = slot.labels.rows(0, next);
  batch.first = slot.first.rows(0, n + 1);
}

DetectionLoader::DetectionLoader(DetectionSet data, const Preprocess& preprocess, bool keep_ratio,
                                 const LoaderOptions& options, const std::optional<DetectionAugmentOptions>& augment)
    : impl_(std::make_unique<Impl>(std::move(data), preprocess, keep_ratio, options, augment)) {}

DetectionLoader::~DetectionLoader() = default;

void DetectionLoader::start_epoch(int64_t epoch, int64_t first_sample) {
  Impl& d = *impl_;
  GHOST_CHECK(first_sample >= 0 && first_sample <= d.count(), "an epoch of ", d.count(), " samples cannot begin at ",
              first_sample);
  d.pipeline.cancel();
  d.epoch = epoch;
  d.augment = d.next_augment;
  d.batch_size = d.next_batch_size;
  for (Impl::Slot& slot : d.slots) d.make_room(slot, d.batch_size);
  if (d.training) d.order = epoch_order(d.count(), d.options.seed, epoch);
  d.pipeline.start(first_sample, d.end_of_epoch(first_sample), d.batch_size);
}

const DetectionBatch* DetectionLoader::next() {
  for (;;) {
    const int slot = impl_->pipeline.next();
    if (slot < 0) return nullptr;
    const DetectionBatch& batch = impl_->slots[static_cast<size_t>(slot)].batch;
    if (batch.size() > 0) return &batch;  // an evaluation batch of corrupt pictures only is passed over
  }
}

void DetectionLoader::set_augment(const DetectionAugmentOptions& augment) {
  GHOST_CHECK(impl_->training, "this loader is for evaluation; it does not augment");
  check_detection_augment(augment);
  impl_->next_augment = augment;
}

void DetectionLoader::set_batch_size(int64_t batch_size) {
  GHOST_CHECK(batch_size >= 1, "batch_size is ", batch_size, "; at least 1");
  impl_->next_batch_size = batch_size;
}

const DetectionSet& DetectionLoader::data() const { return impl_->data; }
const Preprocess& DetectionLoader::preprocess() const { return impl_->preprocess; }
int64_t DetectionLoader::batch_size() const { return impl_->batch_size; }
int64_t DetectionLoader::batches_per_epoch() const {
  return (impl_->end_of_epoch(0) + impl_->batch_size - 1) / impl_->batch_size;
}
double DetectionLoader::wait_seconds() const { return impl_->pipeline.wait_seconds(); }
std::vector<std::string> DetectionLoader::take_corrupt_messages() { return impl_->pictures.take_messages(); }

}  // namespace ghost
