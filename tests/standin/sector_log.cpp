#include "tests/standin/sector_log.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

#include "tests/standin/device_memory.h"
#include "tests/standin/standin.h"

namespace ghost::standin {
namespace {

// Zeros; only what is touched takes memory.
uint32_t* make_table() {
  constexpr size_t kBytes = DeviceMemory::kReserved / kSector * sizeof(uint32_t);
  void* const mapped =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    std::perror("stand-in: no addresses for the log of accesses");
    std::abort();
  }
  return static_cast<uint32_t*>(mapped);
}

}  // namespace

SectorLog& sector_log() {
  static SectorLog& log = *new SectorLog;
  return log;
}

SectorLog::SectorLog() : device_(device_memory().begin()), read_(make_table()), written_(make_table()) {}

void SectorLog::begin_launch() {
  ++launch_;
  sectors_ = {};
}

void SectorLog::note(const void* pointer, size_t bytes, bool write) {
  if (bytes == 0 || !device_memory().holds(pointer)) return;
  const auto offset = static_cast<size_t>(static_cast<const char*>(pointer) - device_);
  for (size_t sector = offset / kSector; sector <= (offset + bytes - 1) / kSector; ++sector) {
    uint32_t& last = (write ? written_ : read_)[sector];
    if (last == launch_) continue;
    last = launch_;
    ++(write ? sectors_.written : sectors_.read);
    if (!sectors_.fault.empty()) continue;
    const std::string fault = device_memory().fault(pointer, bytes);
    if (!fault.empty()) sectors_.fault = (write ? "writes " : "reads ") + fault;
  }
}

bool watching = false;

void note_access(const void* pointer, size_t bytes, bool write) { sector_log().note(pointer, bytes, write); }

}  // namespace ghost::standin
