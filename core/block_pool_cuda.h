// Device blocks that stay together. Included by CUDA sources only.
//
// What a thread allocates while a Scope lives comes from the pool and, once freed, goes back to it: the device's cache
// never gives it to others before the pool is gone. So it is with the work of a CUDA graph, whose launches hold
// addresses. Several graphs may share a pool where one stream runs them, and nothing of one outlives it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/device.h"

namespace ghost {

class BlockPool : public std::enable_shared_from_this<BlockPool> {
 public:
  explicit BlockPool(const Device& device) : device_(device) {}

  class Scope {
   public:
    explicit Scope(BlockPool& pool);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    BlockPool* const outer_;
  };

  // That of this thread's innermost scope on `device`; null where there is none.
  static BlockPool* current(const Device& device);

  // A block of a size class.
  std::shared_ptr<void> take(int64_t size);

 private:
  const Device device_;
  std::mutex mutex_;
  std::map<int64_t, std::vector<std::shared_ptr<void>>> free_;  // by size class
};

}  // namespace ghost
