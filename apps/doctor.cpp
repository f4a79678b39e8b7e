#include <memory>

#include "apps/verbs.h"
#include "core/device.h"
#include "data/decode.h"
#include "train/environment.h"
#include "train/log.h"

namespace ghost {
namespace {

int report() {
  Log log;
  const std::string reason = cuda_unavailable_reason();
  log.line(environment_text({GHOST_VERSION, Device::parse("auto").name(), jpeg_decoder_name()}));
  log.line(reason.empty() ? "CUDA can be used" : "CUDA cannot be used: " + reason);
  return 0;
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
  CLI::App* verb =
      app.add_subcommand("doctor", "Says what this build and this machine can do, and why CUDA can not be used");
  verb->callback([&action] { action = report; });
}

}  // namespace ghost
