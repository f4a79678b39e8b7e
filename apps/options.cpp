#include "apps/options.h"

#include "core/parallel.h"

namespace ghost {

void add_device_options(CLI::App& verb, DeviceOptions& options) {
  verb.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  verb.add_option("--threads", options.threads, "compute threads; 0: all this process may use")
      ->check(CLI::Range(0, 1024));
}

Device apply(const DeviceOptions& options) {
  if (options.threads > 0) set_compute_threads(options.threads);
  return Device::parse(options.device);
}

}  // namespace ghost
