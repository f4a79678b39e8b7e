// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// A number is a function of (seed, stream, index) and of nothing else, so it is the same on the CPU and on CUDA and for
// any number of threads. A stream names a purpose (weights, dropout, a sample's augmentation), an index a draw in it.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/host_device.h"

namespace ghost {

struct Philox4 {
  uint32_t value[4];
};

GHOST_HD inline uint32_t philox_mulhi(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>((static_cast<uint64_t>(a) * b) >> 32);
}

// Four independent 32-bit words for one (seed, stream, index).
GHOST_HD inline Philox4 philox(uint64_t seed, uint64_t stream, uint64_t index) {
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  uint32_t c0 = static_cast<uint32_t>(index), c1 = static_cast<uint32_t>(index >> 32);
  uint32_t c2 = static_cast<uint32_t>(stream), c3 = static_cast<uint32_t>(stream >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint32_t hi0 = philox_mulhi(0xD2511F53u, c0), lo0 = 0xD2511F53u * c0;
    const uint32_t hi1 = philox_mulhi(0xCD9E8D57u, c2), lo1 = 0xCD9E8D57u * c2;
    c0 = hi1 ^ c1 ^ k0;
    c1 = lo1;
    c2 = hi0 ^ c3 ^ k1;
    c3 = lo0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// Uniform in [0, 1), 24 bits: exactly representable as float.
GHOST_HD inline float uniform_from_bits(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1.0p-24f; }

// A stream id from parts, so that (purpose, epoch, sample) names one stream. Order matters.
inline uint64_t stream_id(uint64_t a, uint64_t b = 0, uint64_t c = 0) {
  const Philox4 mixed = philox(a * 0x9E3779B97F4A7C15ull + 1, b, c);
  return (static_cast<uint64_t>(mixed.value[0]) << 32) | mixed.value[1];
}

// Draws one after another from one stream. Cheap to make; make one per purpose and item.
class Rng {
 public:
  Rng(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}

  uint32_t bits() {
    if (left_ == 0) {
      block_ = philox(seed_, stream_, index_++);
      left_ = 4;
    }
    return block_.value[4 - left_--];
  }
  float uniform() { return uniform_from_bits(bits()); }                            // [0, 1)
  float uniform(float low, float high) { return low + (high - low) * uniform(); }  // [low, high)
  bool chance(float probability) { return uniform() < probability; }
  // An integer in [0, count); count >= 1. Unbiased to 2^-32.
  int64_t below(int64_t count) {
    return static_cast<int64_t>((static_cast<uint64_t>(bits()) * static_cast<uint64_t>(count)) >> 32);
  }
  // Standard normal by Box-Muller.
  float normal() {
    const float u = 1.0f - uniform(), v = uniform();
    return std::sqrt(-2.0f * std::log(u)) * std::cos(6.28318530717958647692f * v);
  }

 private:
  uint64_t seed_, stream_, index_ = 0;
  Philox4 block_{};
  int left_ = 0;
};

}  // namespace ghost
