// Where a tensor lives: the CPU, one CUDA device, or nowhere (meta).
#pragma once

#include <ostream>
#include <string>
#include <string_view>

namespace ghost {

class Device {
 public:
  Device() = default;  // the CPU
  static Device cpu() { return {}; }
  // Throws kDevice when this build has no CUDA or the machine has no such device.
  static Device cuda(int index = 0);
  // Tensors with a shape and no memory; ops compute nothing and count what their CUDA code would start (core/meta.h).
  static Device meta() { return Device(kMeta); }
  // "cpu", "cuda", "cuda:1" or "auto" (a CUDA device where one is usable, else the CPU).
  static Device parse(std::string_view text);

  bool is_cpu() const { return index_ == kCpu; }
  bool is_cuda() const { return index_ >= 0; }
  bool is_meta() const { return index_ == kMeta; }
  int index() const { return index_; }  // CUDA ordinal; negative for the others
  std::string name() const { return is_cpu() ? "cpu" : is_meta() ? "meta" : "cuda:" + std::to_string(index_); }
  friend bool operator==(const Device&, const Device&) = default;

 private:
  static constexpr int kCpu = -1, kMeta = -2;
  explicit Device(int index) : index_(index) {}
  int index_ = kCpu;
};

inline std::ostream& operator<<(std::ostream& out, const Device& device) { return out << device.name(); }

// Throws kDevice unless `device` is the CPU. What GHOST_DISPATCH asks in a build without CUDA.
void require_cpu(const Device& device);

// "" when CUDA can be used, else one sentence that says why not (no CUDA in this build, no driver, driver too old,
// ...).
std::string cuda_unavailable_reason();

}  // namespace ghost
