// What a training step of GhostNet-1.0 at 224 asks of the device: launches, copies, waits. Counted without running a
// kernel, so these are facts about the host code, not times. docs/cuda.md states them.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/allocator.h"
#include "tests/simt/scheduler.h"
#include "tests/standin/standin.h"
#include "tests/standin/training.h"

namespace ghost::standin {
namespace {

TEST(StandinCounts, AStepOfGhostNetAt224) {
  const Device device = Device::cuda();  // tries the device with a kernel
  set({.execute = false});
  const auto training = classifier_on(device, {.batch = 32, .size = 224, .width = 1});
  for (uint64_t i = 0; i < 2; ++i) training->step(0);
  const Counts before = counts();
  const auto launched = kernel_launches();
  training->step(0);
  const Counts step = counts() - before;
  std::vector<std::pair<int64_t, std::string>> kernels;
  for (const auto& [kernel, count] : kernel_launches()) {
    const auto was = launched.find(kernel);
    const int64_t times = count - (was == launched.end() ? 0 : was->second);
    if (times > 0) kernels.emplace_back(times, simt::detail::kernel_name(kernel).instance);
  }
  std::sort(kernels.rbegin(), kernels.rend());
  printf("launches %ld = %ld + %ld, waits %ld, up %ld (%ld), down %ld (%ld), d2d %ld, alloc %ld\n", step.launches(),
         step.kernels, step.library_calls, step.waits, step.uploads, step.uploaded_bytes, step.downloads,
         step.downloaded_bytes, step.device_copies, step.allocations);
  for (const auto& [times, name] : kernels) printf("%6ld %s\n", times, name.c_str());
  set({});
}

}  // namespace
}  // namespace ghost::standin
