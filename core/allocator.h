// Caching allocators, one per device. Freed blocks are kept and handed out again, so from the third step of a training
// on nothing is asked of the system and no page is touched for the first time.
//
// Host: 64-byte aligned blocks cut from 2 MiB-aligned arenas that ask for huge pages.
// CUDA: cudaMallocAsync-style stream order; a block freed on a stream is reused on that stream without waiting.
// Meta: addresses without memory, by the rules of CUDA's, so that its figures are what a CUDA device would show.
#pragma once

#include <cstdint>
#include <memory>

#include "core/device.h"

namespace ghost {

struct MemoryStats {
  int64_t in_use = 0;              // bytes handed out now
  int64_t peak = 0;                // largest in_use since reset_peak
  int64_t cached = 0;              // bytes held from the system and free for reuse
  int64_t system_allocations = 0;  // times the system was asked for memory, since the start
  int64_t allocations = 0;         // blocks handed out, since the start
};

// At least `bytes`, contents undefined; given back when the last copy of the pointer goes. bytes == 0 gives nullptr.
// Throws kDevice with asked, in use, cached and free bytes when there is no memory.
std::shared_ptr<void> allocate(int64_t bytes, const Device& device);

MemoryStats memory_stats(const Device& device);
void reset_peak(const Device& device);
// Gives what is cached back to the system.
void release_cached(const Device& device);

// The device's side of it; allocate() chooses.
std::shared_ptr<void> host_allocate(int64_t bytes);
std::shared_ptr<void> cuda_allocate(int64_t bytes, const Device& device);
MemoryStats cuda_memory_stats(const Device& device);
void cuda_reset_peak(const Device& device);
void cuda_release_cached(const Device& device);
std::shared_ptr<void> meta_allocate(int64_t bytes);
MemoryStats meta_memory_stats();
void meta_reset_peak();
void meta_release_cached();

// What a CUDA device's block of `bytes` takes: a multiple of an eighth of its power of two, 512 bytes at least.
int64_t device_block_size(int64_t bytes);

}  // namespace ghost
