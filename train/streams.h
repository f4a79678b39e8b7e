// The training's random streams: each purpose its own, so that adding one never changes another. (data/streams.h has
// the loader's.)
#pragma once

#include <cstdint>

#include "core/random.h"

namespace ghost {

enum class TrainStream : uint64_t { kDropout = 0x7472'0001 };

inline uint64_t dropout_stream(int64_t micro_step) {
  return stream_id(static_cast<uint64_t>(TrainStream::kDropout), static_cast<uint64_t>(micro_step));
}

}  // namespace ghost
