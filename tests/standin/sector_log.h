// Which sectors of device memory a launch reads and writes, each counted once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ghost::standin {

constexpr int64_t kSector = 32;  // bytes; what a GPU moves at the least

struct Sectors {
  int64_t read = 0, written = 0;
  std::string fault;  // the first access outside of live blocks
};

class SectorLog {
 public:
  SectorLog();
  void begin_launch();
  const Sectors& of_launch() const { return sectors_; }
  void note(const void* pointer, size_t bytes, bool write);

 private:
  const char* const device_;
  uint32_t *read_, *written_;  // by sector: the launch that touched it last
  uint32_t launch_ = 0;
  Sectors sectors_;
};

SectorLog& sector_log();

}  // namespace ghost::standin
