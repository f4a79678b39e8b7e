// Options that several verbs share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "core/device.h"

namespace ghost {

struct DeviceOptions {
  std::string device = "auto";
  int threads = 0;
};
void add_device_options(CLI::App& verb, DeviceOptions& options);
// Sets the compute threads where given; the device.
Device apply(const DeviceOptions& options);

}  // namespace ghost
