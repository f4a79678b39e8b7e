// Short names for the ranges in the lists of config keys.
#pragma once

#include "train/config_keys.h"

namespace ghost {

constexpr Range at_least(double low) { return {.low = low}; }
constexpr Range above(double low) { return {.low = low, .open_low = true}; }
constexpr Range between(double low, double high) { return {.low = low, .high = high}; }
constexpr Range up_to_below(double low, double high) { return {.low = low, .high = high, .open_high = true}; }
constexpr Range above_to(double low, double high) { return {.low = low, .high = high, .open_low = true}; }
constexpr Range kProbability = between(0, 1);
constexpr KeyTask kClassify = KeyTask::kClassify, kDetect = KeyTask::kDetect;

// Appends the keys of boxes' augmentation, of the losses, of evaluation and of averaging.
void add_detection_keys(Config& config, std::vector<ConfigKey>& keys);

}  // namespace ghost
