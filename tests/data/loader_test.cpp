#include "data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>

#include "pictures.h"

namespace ghost {
namespace {

using testing::HasSubstr;

constexpr int kPictures = 23, kBatch = 4, kSide = 20;
const Preprocess kPreprocess{.size = kSide};
const AugmentOptions kStrong{
    .color_jitter = 0.3f, .rand_augment_ops = 2, .random_erasing = 0.3f, .mixup = 0.4f, .cutmix = 0.7f};

// 23 pictures of several sizes in three classes, JPEG and PNG.
void write_pictures(const TempFolder& temp) {
  for (int i = 0; i < kPictures; ++i) {
    const std::string name = std::string(1, static_cast<char>('a' + i % 3)) + "/" + std::to_string(100 + i);
    temp.write_picture(name + (i % 2 == 0 ? ".jpg" : ".png"), smooth_picture(24 + i, 40 - i, i));
  }
}

struct Copy {
  std::vector<float> images;
  std::vector<int64_t> labels, labels_b, samples;
  float mix = 0;
  int64_t first = 0, end = 0, skipped = 0;
  bool operator==(const Copy&) const = default;
};

template <class T>
std::vector<T> values(const Tensor& tensor) {
  return std::vector<T>(tensor.data<T>(), tensor.data<T>() + tensor.numel());
}

std::vector<Copy> drain(Loader& loader) {
  std::vector<Copy> all;
  while (const Batch* batch = loader.next()) {
    EXPECT_EQ(batch->images.shape(), Shape({batch->size(), kSide, kSide, 3}));
    all.push_back({values<float>(batch->images), values<int64_t>(batch->labels), values<int64_t>(batch->labels_b),
                   batch->samples, batch->mix, batch->first_sample, batch->end_sample, batch->skipped});
  }
  return all;
}

LoaderOptions options(int workers) { return {.batch_size = kBatch, .workers = workers, .seed = 42}; }

TEST(Loader, ThreadsChangeNothing) {
  const TempFolder temp;
  write_pictures(temp);
  const ImageFolder folder = open_training_folder(temp.path());
  std::vector<Copy> wanted;
  for (const int workers : {0, 1, 3}) {
    for (const int64_t cache : {int64_t{0}, int64_t{20000}, int64_t{1} << 30}) {
      LoaderOptions o = options(workers);
      o.cache_bytes = cache;
      Loader loader(folder, kPreprocess, o, kStrong);
      EXPECT_EQ(loader.batches_per_epoch(), 5);
      EXPECT_EQ(loader.samples_per_epoch(), 20);
      std::vector<Copy> got;
      for (const int64_t epoch : {0, 1}) {
        loader.start_epoch(epoch);
        for (Copy& batch : drain(loader)) got.push_back(std::move(batch));
      }
      ASSERT_EQ(got.size(), 10u);
      if (wanted.empty()) wanted = got;
      EXPECT_TRUE(got == wanted) << workers << " workers, cache " << cache;
    }
  }
  EXPECT_NE(wanted[0].samples, wanted[5].samples);  // each epoch has its own order
}

TEST(Loader, AnEpochGoesOnInItsMiddle) {
  const TempFolder temp;
  write_pictures(temp);
  const ImageFolder folder = open_training_folder(temp.path());
  Loader straight(folder, kPreprocess, options(2), kStrong);
  straight.start_epoch(3);
  const std::vector<Copy> wanted = drain(straight);
  for (size_t done = 0; done <= wanted.size(); ++done) {
    Loader resumed(folder, kPreprocess, options(static_cast<int>(done % 3)), kStrong);
    resumed.start_epoch(3, done == 0 ? 0 : wanted[done - 1].end);
    EXPECT_TRUE(drain(resumed) == std::vector<Copy>(wanted.begin() + static_cast<ptrdiff_t>(done), wanted.end()))
        << done;
  }
  // The same loader, broken off and begun again.
  straight.start_epoch(3, wanted[1].end);
  straight.next();
  straight.start_epoch(3);
  EXPECT_TRUE(drain(straight) == wanted);
}

TEST(Loader, AnEpochShowsEachPictureOnce) {
  const TempFolder temp;
  write_pictures(temp);
  LoaderOptions o = options(2);
  o.drop_last = false;
  Loader loader(open_training_folder(temp.path()), kPreprocess, o, AugmentOptions{});
  EXPECT_EQ(loader.batches_per_epoch(), 6);
  loader.start_epoch(0);
  std::vector<int64_t> seen;
  for (const Copy& batch : drain(loader)) {
    seen.insert(seen.end(), batch.samples.begin(), batch.samples.end());
    EXPECT_EQ(batch.labels, batch.labels_b);
    EXPECT_EQ(batch.mix, 1.0f);
    for (size_t i = 0; i < batch.samples.size(); ++i)
      EXPECT_EQ(batch.labels[i], loader.data().samples[static_cast<size_t>(batch.samples[i])].label);
  }
  EXPECT_FALSE(std::is_sorted(seen.begin(), seen.end()));
  std::sort(seen.begin(), seen.end());
  std::vector<int64_t> all(kPictures);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(seen, all);
}

TEST(Loader, EvaluationIsInOrderAndEqualsPreprocess) {
  const TempFolder temp;
  write_pictures(temp);
  const ImageFolder folder = open_evaluation_folder(temp.path(), {"c", "b", "a"});
  Loader loader(folder, kPreprocess, options(3));
  loader.start_epoch(0);
  const std::vector<Copy> batches = drain(loader);
  ASSERT_EQ(batches.size(), 6u);
  EXPECT_EQ(batches.back().samples.size(), 3u);
  int64_t next = 0;
  for (const Copy& batch : batches)
    for (size_t i = 0; i < batch.samples.size(); ++i, ++next) {
      ASSERT_EQ(batch.samples[i], next);
      const Sample& sample = folder.samples[static_cast<size_t>(next)];
      EXPECT_EQ(batch.labels[i], sample.label);
      Image framed;
      resize_and_crop(read_image(sample.path), kPreprocess, framed);
      std::vector<float> wanted(framed.pixels.size());
      normalize(framed, kPreprocess, wanted.data());
      EXPECT_EQ(std::memcmp(wanted.data(), batch.images.data() + i * wanted.size(), wanted.size() * sizeof(float)), 0);
    }
}

TEST(Loader, MixedLabelsAreThePartners) {
  const TempFolder temp;
  write_pictures(temp);
  Loader loader(open_training_folder(temp.path()), kPreprocess, options(1), AugmentOptions{.mixup = 0.5f});
  loader.start_epoch(0);
  std::set<float> mixes;
  for (const Copy& batch : drain(loader)) {
    std::vector<int64_t> reversed = batch.labels;
    std::reverse(reversed.begin(), reversed.end());
    EXPECT_EQ(batch.labels_b, reversed);
    EXPECT_TRUE(batch.mix >= 0 && batch.mix <= 1);
    mixes.insert(batch.mix);
  }
  EXPECT_GT(mixes.size(), 3u);
  // Switched off for the last epochs.
  loader.set_augment({});
  loader.start_epoch(1);
  EXPECT_EQ(drain(loader)[0].mix, 1.0f);
}

// Two broken pictures: one without a byte, one cut off.
ImageFolder with_broken(const TempFolder& temp) {
  write_pictures(temp);
  const ImageFolder folder = open_training_folder(temp.path());
  write_file(folder.samples[5].path, {});
  std::vector<uint8_t> bytes;
  read_file(folder.samples[6].path, bytes);
  write_file(folder.samples[6].path, std::span(bytes).first(bytes.size() / 2));
  return folder;
}

TEST(Loader, CorruptPicturesAreReplacedInTraining) {
  const TempFolder temp;
  const ImageFolder folder = with_broken(temp);
  std::vector<Copy> wanted;
  for (const int workers : {0, 1, 3}) {
    LoaderOptions o = options(workers);
    o.drop_last = false;
    Loader loader(folder, kPreprocess, o, kStrong);
    std::vector<Copy> got;
    for (const int64_t epoch : {0, 1}) {
      loader.start_epoch(epoch);
      int64_t skipped = 0, sevens = 0, shown = 0;
      for (Copy& batch : drain(loader)) {
        skipped += batch.skipped;
        shown += static_cast<int64_t>(batch.samples.size());
        sevens += std::count(batch.samples.begin(), batch.samples.end(), 7);
        EXPECT_EQ(std::count(batch.samples.begin(), batch.samples.end(), 5), 0);
        got.push_back(std::move(batch));
      }
      EXPECT_EQ(skipped, 2);
      EXPECT_EQ(sevens, 3);
      EXPECT_EQ(shown, kPictures);
    }
    EXPECT_EQ(loader.corrupt_count(), 2);
    std::vector<std::string> messages = loader.take_corrupt_messages();
    std::sort(messages.begin(), messages.end());
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_THAT(messages[0], HasSubstr(folder.samples[5].path));
    EXPECT_THAT(messages[1], HasSubstr(folder.samples[6].path));
    EXPECT_TRUE(loader.take_corrupt_messages().empty());
    if (wanted.empty()) wanted = got;
    EXPECT_TRUE(got == wanted) << workers;
  }
}

TEST(Loader, CorruptPicturesAreLeftOutInEvaluation) {
  const TempFolder temp;
  const ImageFolder folder = with_broken(temp);
  write_file(folder.samples[4].path, {});
  write_file(folder.samples[7].path, {});  // now a whole batch, 4 to 7
  for (const int workers : {0, 3}) {
    Loader loader(folder, kPreprocess, options(workers));
    loader.start_epoch(0);
    const std::vector<Copy> batches = drain(loader);
    ASSERT_EQ(batches.size(), 5u);
    EXPECT_EQ(batches[1].samples[0], 8);
    EXPECT_EQ(loader.corrupt_count(), 4);
  }
  write_file(folder.samples[4].path, encode_png(smooth_picture(20, 20)));
  write_file(folder.samples[7].path, encode_png(smooth_picture(20, 20, 1)));
  Loader loader(folder, kPreprocess, options(2));
  loader.start_epoch(0);
  const std::vector<Copy> batches = drain(loader);
  EXPECT_EQ(batches[1].samples, (std::vector<int64_t>{4, 7}));
  EXPECT_EQ(batches[1].skipped, 2);
  EXPECT_EQ(batches[1].labels[1], folder.samples[7].label);
}

TEST(Loader, CorruptPicturesStopTheRunWhenAsked) {
  const TempFolder temp;
  const ImageFolder folder = with_broken(temp);
  for (const int workers : {0, 2}) {
    LoaderOptions o = options(workers);
    o.on_corrupt = OnCorrupt::kError;
    Loader loader(folder, kPreprocess, o);
    loader.start_epoch(0);
    ASSERT_NE(loader.next(), nullptr);
    EXPECT_THAT(error_message(ErrorKind::kData, [&] { loader.next(); }), HasSubstr(folder.samples[5].path));
  }
}

TEST(Loader, NothingReadableIsAnError) {
  const TempFolder temp;
  for (const char* name : {"a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"}) temp.write_text(name, "no picture");
  Loader loader(open_training_folder(temp.path()), kPreprocess, options(2), AugmentOptions{});
  loader.start_epoch(0);
  EXPECT_THAT(error_message(ErrorKind::kData, [&] { loader.next(); }), HasSubstr("none of the 4 pictures"));
}

TEST(Loader, TooFewPicturesForABatch) {
  const TempFolder temp;
  write_pictures(temp);
  LoaderOptions o = options(0);
  o.batch_size = 24;
  EXPECT_THAT(error_message(ErrorKind::kData,
                            [&] { Loader(open_training_folder(temp.path()), kPreprocess, o, AugmentOptions{}); }),
              HasSubstr("23 training pictures, fewer than one batch of 24"));
}

TEST(Loader, MemoryIsReused) {
  const TempFolder temp;
  write_pictures(temp);
  Loader loader(open_training_folder(temp.path()), kPreprocess, options(1), kStrong);
  std::set<const void*> places;
  for (int64_t epoch = 0; epoch < 4; ++epoch) {
    loader.start_epoch(epoch);
    while (const Batch* batch = loader.next()) places.insert(batch->images.raw_data());
  }
  EXPECT_LE(places.size(), 3u);  // prefetch 2 and the one in use
}

TEST(Loader, EndsInTheMiddleOfAnEpoch) {
  const TempFolder temp;
  write_pictures(temp);
  const ImageFolder folder = open_training_folder(temp.path());
  for (int i = 0; i < 10; ++i) {
    Loader loader(folder, kPreprocess, options(3), kStrong);
    loader.start_epoch(0);
    if (i % 2) loader.next();
  }
}

TEST(EpochOrder, IsAPermutationOfSeedAndEpoch) {
  const std::vector<int64_t> order = epoch_order(1000, 7, 3);
  EXPECT_EQ(order, epoch_order(1000, 7, 3));
  EXPECT_NE(order, epoch_order(1000, 7, 4));
  EXPECT_NE(order, epoch_order(1000, 8, 3));
  std::vector<int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(sorted[static_cast<size_t>(i)], i);
  // Far from the natural order: the mean distance of a random permutation is a third.
  double distance = 0;
  for (int64_t i = 0; i < 1000; ++i)
    distance += std::abs(static_cast<double>(order[static_cast<size_t>(i)] - i)) / 1000;
  EXPECT_NEAR(distance, 333, 30);
}

TEST(PixelCache, KeepsUpToItsLimit) {
  PixelCache cache(4, 2 * 10 * 10 * 3);
  for (int64_t i = 0; i < 4; ++i) cache.store(i, smooth_picture(10, 10, static_cast<int>(i)));
  EXPECT_EQ(*cache.find(1), smooth_picture(10, 10, 1));
  EXPECT_EQ(cache.find(2), nullptr);
  EXPECT_EQ(cache.bytes(), 600);
  cache.store(0, smooth_picture(10, 10, 9));
  EXPECT_EQ(*cache.find(0), smooth_picture(10, 10, 0));
  EXPECT_EQ(cache.bytes(), 600);
}

}  // namespace
}  // namespace ghost
