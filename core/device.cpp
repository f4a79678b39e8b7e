#include "core/device.h"

#include <charconv>

#include "core/cuda_device.h"
#include "core/error.h"

namespace ghost {

Device Device::cuda(int index) {
  GHOST_CHECK(index >= 0, "cuda:", index, " is no device; use cuda:0 or a later one");
  const std::string reason = cuda_device_reason(index);
  GHOST_CHECK_AS(kDevice, reason.empty(), "cuda:", index, " was asked for, but ", reason);
  return Device(index);
}

Device Device::parse(std::string_view text) {
  if (text == "cpu") return cpu();
  if (text == "auto") return cuda_unavailable_reason().empty() ? cuda(0) : cpu();
  if (text == "cuda") return cuda(0);
  constexpr std::string_view kPrefix = "cuda:";
  if (text.starts_with(kPrefix)) {
    int index = -1;
    const std::string_view digits = text.substr(kPrefix.size());
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (status == std::errc() && end == digits.data() + digits.size() && index >= 0) return cuda(index);
  }
  GHOST_FAIL(kUsage, "device '", text, "' is not known; use cpu, cuda, cuda:N or auto");
}

std::string cuda_unavailable_reason() { return cuda_device_reason(0); }

void require_cpu(const Device& device) {
  GHOST_CHECK_AS(kDevice, device.is_cpu(), device, " was asked for, but ", cuda_unavailable_reason());
}

}  // namespace ghost
