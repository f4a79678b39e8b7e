#include "train/classify_data.h"

#include <algorithm>

namespace ghost {
namespace {

template <class To, class From>
std::array<To, 2> pair_of(const std::array<From, 2>& from) {
  return {static_cast<To>(from[0]), static_cast<To>(from[1])};
}

}  // namespace

Preprocess preprocess_of(const InputConfig& input) {
  Preprocess preprocess;
  preprocess.size = static_cast<int>(input.size);
  std::copy(input.mean.begin(), input.mean.end(), preprocess.mean.begin());
  std::copy(input.std.begin(), input.std.end(), preprocess.std.begin());
  preprocess.crop_pct = static_cast<float>(input.crop_pct);
  preprocess.interpolation = input.interpolation == "bicubic" ? Interpolation::kBicubic : Interpolation::kBilinear;
  return preprocess;
}

AugmentOptions augment_of(const AugmentConfig& augment) {
  AugmentOptions options;
  options.random_resized_crop = pair_of<float>(augment.random_resized_crop);
  options.ratio = pair_of<float>(augment.ratio);
  options.flip = static_cast<float>(augment.flip);
  options.vertical_flip = static_cast<float>(augment.vertical_flip);
  options.color_jitter = static_cast<float>(augment.color_jitter);
  options.hue = static_cast<float>(augment.hue);
  options.rand_augment_ops = static_cast<int>(augment.rand_augment_ops);
  options.rand_augment_magnitude = static_cast<float>(augment.rand_augment_magnitude);
  options.random_erasing = static_cast<float>(augment.random_erasing);
  options.mixup = static_cast<float>(augment.mixup);
  options.cutmix = static_cast<float>(augment.cutmix);
  return options;
}

AugmentOptions without_augmentation(const AugmentConfig& augment) {
  AugmentOptions options;
  options.random_resized_crop = options.ratio = {1.0f, 1.0f};
  options.flip = static_cast<float>(augment.flip);
  options.vertical_flip = static_cast<float>(augment.vertical_flip);
  return options;
}

std::unique_ptr<Loader> training_loader(const Config& config) {
  const bool cached = config.data.cache == "memory";
  const LoaderOptions options{.batch_size = config.train.batch_size,
                              .workers = static_cast<int>(config.data.workers),
                              .seed = static_cast<uint64_t>(config.train.seed),
                              .on_corrupt = config.data.on_corrupt == "skip" ? OnCorrupt::kSkip : OnCorrupt::kError,
                              .cache_bytes = cached ? config.data.cache_limit_mb << 20 : 0};
  return std::make_unique<Loader>(open_training_folder(config.data.train, config.data.classes),
                                  preprocess_of(config.input), options, augment_of(config.augment));
}

std::unique_ptr<Loader> evaluation_loader(const EvaluationData& data, const ModelCard& card) {
  const LoaderOptions options{.batch_size = data.batch_size,
                              .workers = static_cast<int>(data.workers),
                              .drop_last = false,
                              .on_corrupt = data.skip_corrupt ? OnCorrupt::kSkip : OnCorrupt::kError};
  return std::make_unique<Loader>(open_evaluation_folder(data.folder, card.classes), preprocess_of(card.input),
                                  options);
}

}  // namespace ghost
