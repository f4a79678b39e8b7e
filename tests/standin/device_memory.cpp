#include "tests/standin/device_memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace ghost::standin {
namespace {

constexpr size_t kPage = 4096, kAlignment = 256;  // cudaMalloc aligns to 256 bytes

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

struct sigaction previous_action;

// Lets work on a stream touch a block. For others, says whose memory it was before the process ends as it would have.
void on_fault(int signal, siginfo_t* info, void*) {
  if (device_memory().holds(info->si_addr)) {
    if (device_memory().unlock(info->si_addr)) return;
    const std::string fault = device_memory().fault(info->si_addr, 1);
    std::fprintf(stderr, "stand-in: %s\n",
                 fault.empty() ? "host code touched device memory" : ("device memory: " + fault).c_str());
  }
  sigaction(signal, &previous_action, nullptr);
}

}  // namespace

DeviceMemory& device_memory() {
  static DeviceMemory& memory = *new DeviceMemory;
  return memory;
}

DeviceMemory::DeviceMemory() {
  void* const mapped = mmap(nullptr, kReserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    std::perror("stand-in: no addresses for device memory");
    std::abort();
  }
  begin_ = next_ = static_cast<char*>(mapped);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &previous_action);
}

void* DeviceMemory::allocate(size_t bytes, int device, int64_t limit, bool touch) {
  if (this->bytes(device) + static_cast<int64_t>(bytes) > limit) return nullptr;
  const size_t rounded = round_up(bytes, kAlignment), pages_bytes = round_up(rounded, kPage);
  if (next_ + pages_bytes + kPage > begin_ + kReserved) return nullptr;
  char* const pages = next_;
  next_ += pages_bytes + kPage;
  char* const block = pages + pages_bytes - rounded;
  if (touch) {
    mprotect(pages, pages_bytes, PROT_READ | PROT_WRITE);
    std::memset(pages, 0xff, pages_bytes);  // NaN in every floating type
    mprotect(pages, pages_bytes, PROT_NONE);
  }
  blocks_[reinterpret_cast<uintptr_t>(block)] = {bytes, pages_bytes, pages, device, true};
  ++live_;
  return block;
}

std::string DeviceMemory::free(void* pointer) {
  const auto found = blocks_.find(reinterpret_cast<uintptr_t>(pointer));
  if (found == blocks_.end()) return "free of an address that is no block's beginning";
  Block& block = found->second;
  if (!block.live) return "double free of a block of " + std::to_string(block.bytes) + " bytes";
  block.live = false;
  --live_;
  madvise(block.pages, block.pages_bytes, MADV_DONTNEED);
  mprotect(block.pages, block.pages_bytes, PROT_NONE);
  return "";
}

std::string DeviceMemory::fault(const void* pointer, size_t bytes) const {
  const auto address = reinterpret_cast<uintptr_t>(pointer);
  const auto after = blocks_.upper_bound(address);
  const Block* const block = after == blocks_.begin() ? nullptr : &std::prev(after)->second;
  const uintptr_t offset = block ? address - std::prev(after)->first : 0;
  if (block && block->live && offset + bytes <= block->bytes) return "";
  std::ostringstream out;
  out << bytes << " bytes at " << pointer;
  if (block == nullptr) return out.str() + " lie in no block";
  out << ", byte " << offset << " of a block of " << block->bytes;
  return out.str() + (block->live ? ": past its end" : " that was freed");
}

const void* DeviceMemory::live_block(const void* pointer) const {
  const auto after = blocks_.upper_bound(reinterpret_cast<uintptr_t>(pointer));
  if (!holds(pointer) || after == blocks_.begin()) return nullptr;
  const auto& [begin, block] = *std::prev(after);
  const bool inside = block.live && reinterpret_cast<uintptr_t>(pointer) < begin + block.bytes;
  return inside ? reinterpret_cast<const void*>(begin) : nullptr;
}

int64_t DeviceMemory::bytes(int device) const {
  int64_t sum = 0;
  for (const auto& [address, block] : blocks_)
    if (block.live && block.device == device) sum += static_cast<int64_t>(block.bytes);
  return sum;
}

bool DeviceMemory::unlock(const void* pointer) {
  const auto after = blocks_.upper_bound(reinterpret_cast<uintptr_t>(pointer));
  if (open_ == 0 || after == blocks_.begin()) return false;
  const Block& block = std::prev(after)->second;
  if (!block.live || pointer >= block.pages + block.pages_bytes) return false;
  unlocked_.push_back(&block);
  return mprotect(block.pages, block.pages_bytes, PROT_READ | PROT_WRITE) == 0;
}

void DeviceMemory::close() {
  if (--open_ > 0) return;
  for (const Block* block : unlocked_) mprotect(block->pages, block->pages_bytes, PROT_NONE);
  unlocked_.clear();
}

}  // namespace ghost::standin
