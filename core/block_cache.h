// Device memory kept by size class when it is freed, and what the statistics say of it; allocator_cuda.cpp fills it
// with cudaMalloc's blocks, allocator_meta.cpp with addresses. A block serves its own class only, so there is nothing
// to split or to merge. Not for several threads at once: its owner locks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "core/allocator.h"

namespace ghost {

class BlockCache {
 public:
  // A kept block of a class, else grow()'s, which may release().
  template <class Grow>
  void* take(int64_t size, const Grow& grow) {
    std::vector<void*>& blocks = free_[size];
    void* block = nullptr;
    if (blocks.empty()) {
      block = grow();
      ++stats_.system_allocations;
    } else {
      block = blocks.back();
      blocks.pop_back();
      stats_.cached -= size;
    }
    stats_.in_use += size;
    stats_.peak = std::max(stats_.peak, stats_.in_use);
    ++stats_.allocations;
    return block;
  }

  void give(void* block, int64_t size) {
    stats_.in_use -= size;
    stats_.cached += size;
    free_[size].push_back(block);
  }

  // free(block) for every kept block.
  template <class Free>
  void release(const Free& free) {
    for (auto& [size, blocks] : free_) {
      while (!blocks.empty()) {
        free(blocks.back());
        blocks.pop_back();
        stats_.cached -= size;
      }
    }
  }

  const MemoryStats& stats() const { return stats_; }
  void reset_peak() { stats_.peak = stats_.in_use; }

 private:
  std::map<int64_t, std::vector<void*>> free_;  // by size class
  MemoryStats stats_;
};

}  // namespace ghost
