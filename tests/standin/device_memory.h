// The device memory of the stand-in: one stretch of addresses, of which a block is used once and never again. Between
// blocks lies a page that nobody may touch, and a block ends at its page's end, so that a step past it faults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ghost::standin {

class DeviceMemory {
 public:
  static constexpr size_t kReserved = size_t{256} << 30;  // bytes of addresses

  DeviceMemory();

  // nullptr where `limit` bytes would be exceeded. Filled with NaN if `touch`.
  void* allocate(size_t bytes, int device, int64_t limit, bool touch);
  // "" or what is wrong with the pointer.
  std::string free(void* pointer);

  const char* begin() const { return begin_; }
  // Whether the address is the device's, live or not.
  bool holds(const void* pointer) const {
    const char* const at = static_cast<const char*>(pointer);
    return at >= begin_ && at < begin_ + kReserved;
  }
  // "" or what is wrong: outside of every block, freed, past the end.
  std::string fault(const void* pointer, size_t bytes) const;
  // A page fault at an address of the device: makes the block accessible if it may be touched now.
  bool unlock(const void* pointer);
  // The beginning of the live block that the address lies in; null where there is none.
  const void* live_block(const void* pointer) const;
  int64_t blocks() const { return live_; }
  int64_t bytes(int device) const;

  // Work on a stream may touch live blocks while one of these lives; the host may not.
  class Open {
   public:
    explicit Open(DeviceMemory& memory) : memory_(memory) { ++memory_.open_; }
    ~Open() { memory_.close(); }
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;

   private:
    DeviceMemory& memory_;
  };

 private:
  struct Block {
    size_t bytes, pages_bytes;
    char* pages;
    int device;
    bool live;
  };
  void close();

  std::map<uintptr_t, Block> blocks_;   // by address; freed ones stay
  std::vector<const Block*> unlocked_;  // those that were touched since it was opened
  char *begin_, *next_;
  int64_t live_ = 0;
  int open_ = 0;
};

DeviceMemory& device_memory();

}  // namespace ghost::standin
