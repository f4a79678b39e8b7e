// Purposes of random numbers in this folder: the first part of stream_id(purpose, epoch, item). A number belongs to one
// purpose for ever, or old runs would not continue as they began.
#pragma once

#include <cstdint>

namespace ghost {

constexpr uint64_t kShuffleStream = 0xDA7A0001;  // (epoch)
constexpr uint64_t kAugmentStream = 0xDA7A0002;  // (epoch, sample)
constexpr uint64_t kMixStream = 0xDA7A0003;      // (epoch, position of the batch's first sample)
constexpr uint64_t kSizeStream = 0xDA7A0004;     // (epoch, position of the batch's first sample)
constexpr uint64_t kAnchorStream = 0x616E6368;   // (attempt): data/anchors.cpp
constexpr uint64_t kSceneStream = 0xDA7A0005;    // (split, picture): data/scenes.cpp

}  // namespace ghost
