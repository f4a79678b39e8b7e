// Batches of a classification data set, made ahead by threads.
//
// What a batch holds is a function of (seed, epoch, position in the epoch) alone: the number of threads changes
// nothing, and an epoch that is begun again in its middle goes on with the same bytes.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "data/augment.h"
#include "data/image_folder.h"
#include "data/picture_source.h"
#include "data/pipeline.h"
#include "data/preprocess.h"

namespace ghost {

struct LoaderOptions {
  int64_t batch_size = 32;
  int workers = 2;   // threads; 0 loads in the caller's thread
  int prefetch = 2;  // batches made ahead of the one in use
  uint64_t seed = 0;
  bool drop_last = true;  // training: no smaller batch at the end of an epoch. Evaluation always sees all pictures.
  OnCorrupt on_corrupt = OnCorrupt::kSkip;
  int64_t cache_bytes = 0;  // memory for decoded pictures, 0 is none
  DecodeOptions decode{};
};

struct Batch {
  Tensor images;    // {n, size, size, 3} float32 on the CPU, normalised
  Tensor labels;    // {n} int64
  Tensor labels_b;  // {n} int64: the partners' labels under mixup and cutmix, else the same tensor as labels
  float mix = 1;    // weight of labels; labels_b has 1 - mix
  std::vector<int64_t> samples;  // indices into data().samples of what is shown, to name a batch's files
  int64_t first_sample = 0;      // position of the batch in the epoch
  int64_t end_sample = 0;        // position after it: where a resume goes on
  int64_t skipped = 0;           // corrupt pictures replaced or left out in this batch
  int64_t size() const { return static_cast<int64_t>(samples.size()); }
};

// The order of an epoch: a shuffle of 0..count-1 that depends on (seed, epoch) alone.
std::vector<int64_t> epoch_order(int64_t count, uint64_t seed, int64_t epoch);

class Loader {
 public:
  // With `augment` for training: shuffled and changed at random. Without it for evaluation: natural order, resize and
  // centre crop. Throws kUsage for options out of range, kData for a data set smaller than one batch.
  Loader(ImageFolder data, const Preprocess& preprocess, const LoaderOptions& options,
         const std::optional<AugmentOptions>& augment = std::nullopt);

  // Begins an epoch at any position: 0, or the end_sample of the last batch that was used.
  void start_epoch(int64_t epoch, int64_t first_sample = 0);
  // The next batch, valid until the next call of next() or start_epoch(); its memory is reused then. nullptr at the end
  // of the epoch. Throws what went wrong in a thread, with the file named.
  const Batch* next();

  // For the epochs without augmentation at the end of a training; from the next start_epoch() on.
  void set_augment(const AugmentOptions& augment);

  const ImageFolder& data() const { return data_; }
  const Preprocess& preprocess() const { return preprocess_; }
  int64_t batch_size() const { return options_.batch_size; }
  int64_t batches_per_epoch() const { return (samples_per_epoch() + options_.batch_size - 1) / options_.batch_size; }
  int64_t samples_per_epoch() const { return end_of_epoch(0); }

  // Seconds that next() has waited for data since construction.
  double wait_seconds() const { return pipeline_.wait_seconds(); }
  // Corrupt pictures met so far, and the messages about those met since the last call.
  int64_t corrupt_count() const { return pictures_.corrupt_count(); }
  std::vector<std::string> take_corrupt_messages() { return pictures_.take_messages(); }

 private:
  struct Slot {
    Batch batch;
    Tensor images, labels, labels_b;  // room for a whole batch
    std::vector<int64_t> samples;     // per place; -1 where a picture is left out
    std::atomic<int64_t> skipped{0};
  };

  int64_t count() const { return static_cast<int64_t>(data_.samples.size()); }
  int64_t end_of_epoch(int64_t first_sample) const;
  void make_sample(Slot& slot, int64_t position, int64_t place);
  void finish_batch(Slot& slot, int64_t first, int64_t places);
  void drop_left_out(Slot& slot, int64_t places);

  const ImageFolder data_;
  const Preprocess preprocess_;
  const LoaderOptions options_;
  const bool training_;
  AugmentOptions next_augment_, augment_;
  int64_t epoch_ = 0;
  std::vector<int64_t> order_;
  PictureSource pictures_;
  std::vector<Slot> slots_;
  Pipeline pipeline_;  // last: its threads use all of the above
};

}  // namespace ghost
