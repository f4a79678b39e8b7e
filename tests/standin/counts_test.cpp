// What a training step of GhostNet-1.0 at 224 asks of a GPU, counted: launches, waits, copies, and the bytes that its
// launches touch. Facts about the code, not times; docs/cuda.md states them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "tests/simt/scheduler.h"
#include "tests/standin/mistakes.h"
#include "tests/standin/standin.h"
#include "tests/standin/training.h"

namespace ghost::standin {
namespace {

std::string table_of_launches(const std::map<const void*, int64_t>& before) {
  std::vector<std::pair<int64_t, std::string>> kernels;
  for (const auto& [kernel, count] : kernel_launches()) {
    const auto was = before.find(kernel);
    const int64_t times = count - (was == before.end() ? 0 : was->second);
    if (times > 0) kernels.emplace_back(times, simt::detail::kernel_name(kernel).instance);
  }
  std::sort(kernels.rbegin(), kernels.rend());
  std::string text;
  for (const auto& [times, name] : kernels) text += std::to_string(times) + " x " + name + "\n";
  return text;
}

TEST(StandinCounts, AStepOfGhostNetAt224) {
  const Device device = Device::cuda();  // tries the device with a kernel
  set({.execute = false});
  const auto training = classifier_on(device, {.batch = 32, .size = 224, .classes = 1000, .width = 1});
  for (uint64_t i = 0; i < 2; ++i) training->step(0);
  const Counts before = counts();
  const auto launched = kernel_launches();
  training->step(0);
  const Counts step = counts() - before;
  set({});
  std::printf(
      "a step of GhostNet-1.0 at 224, batch 32: %ld launches (%ld kernels, %ld library calls), %ld waits, "
      "%ld uploads of %ld bytes, %ld downloads of %ld bytes\n",
      step.launches(), step.kernels, step.library_calls, step.waits, step.uploads, step.uploaded_bytes, step.downloads,
      step.downloaded_bytes);
  EXPECT_LE(step.launches(), 519) << table_of_launches(launched);
  EXPECT_EQ(step.waits, 0);
  EXPECT_EQ(step.uploads, 2);
  EXPECT_EQ(step.downloads, 0);
  EXPECT_EQ(step.device_copies, 0);
  EXPECT_EQ(step.allocations, 0);
}

TEST(StandinCounts, AStepOfADetectorWaitsForNothing) {
  const Device device = Device::cuda();
  set({.execute = false});
  const auto training = detector_on(device, false);
  for (uint64_t i = 0; i < 2; ++i) training->step(0);
  const Counts before = counts();
  training->step(0);
  const Counts step = counts() - before;
  set({});
  std::printf("a step of GhostNet-YOLOv4: %ld launches, %ld waits, %ld uploads, %ld downloads\n", step.launches(),
              step.waits, step.uploads, step.downloads);
  EXPECT_EQ(step.waits, 0);
  EXPECT_EQ(step.downloads, 0);
  EXPECT_EQ(step.allocations, 0);
}

// Forward and backward touch w + batch * (a * size^2 + h) bytes: weights, maps, head. Three small runs give all three,
// for at 64 and 96 every stage's map has the same share of the picture as at 224.
TEST(StandinCounts, BytesThatAStepOfGhostNetAt224Touches) {
  if (!kAccessesAreSeen) GTEST_SKIP() << "this compiler does not show the accesses of kernels";
  const auto bytes = [](int64_t batch, int64_t size) {
    const auto training = classifier_on(Device::cuda(), {.batch = batch, .size = size, .width = 1});
    finish();
    const Counts before = counts();
    TapeScope tape;
    tape.tape().backward(training->loss(0));
    finish();
    return static_cast<double>((counts() - before).touched_bytes());
  };
  set({.watch = true});
  const double one = bytes(1, 64), two = bytes(2, 64), wide = bytes(1, 96);
  const double of_maps = (wide - one) / (96 * 96 - 64 * 64), head = two - one - of_maps * 64 * 64;
  set({});
  const double image = of_maps * 224 * 224 + head;
  std::printf("GhostNet-1.0 at 224 touches %.0f MB an image, %.2f times the 121 MB of the fused schedule\n",
              image / 1e6, image / 121e6);
  EXPECT_GT(image, 121e6);
  EXPECT_LT(image, 1.8 * 121e6);
  expect_no_mistakes();  // accesses outside of blocks
}

}  // namespace
}  // namespace ghost::standin
