// The error of a device whose memory is out.
#pragma once

#include <cstdint>

#include "core/error.h"

namespace ghost {

// Its kind is kDevice.
class OutOfMemory : public Error {
 public:
  // available: bytes that this process holds of the device's memory and those that are free.
  OutOfMemory(std::string message, int64_t available)
      : Error(ErrorKind::kDevice, std::move(message)), available_(available) {}
  int64_t available() const { return available_; }

 private:
  int64_t available_;
};

}  // namespace ghost
