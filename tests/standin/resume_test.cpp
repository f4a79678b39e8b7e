// A checkpoint written from the device and read back onto it: the run that was stopped is the run that was not, byte by
// byte, in whatever order threads, blocks and streams run.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/simt/scheduler.h"
#include "tests/standin/mistakes.h"
#include "tests/standin/standin.h"
#include "tests/standin/training.h"
#include "tests/support/temp_folder.h"
#include "train/checkpoint.h"

namespace ghost::standin {
namespace {

struct Session {
  Session() : training(classifier_on(Device::cuda(), {.batch = 2})), ema(training->module(), 0.9) {}
  CheckpointParts parts() { return {training->module(), training->optimizer(), &ema}; }
  void steps(int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      training->step(static_cast<uint64_t>(i));
      ema.update(i + 1);
    }
  }
  void save(const std::string& path, int64_t step) {
    ModelCard card;
    card.classes = {"a", "b", "c", "d", "e"};
    save_checkpoint(path, parts(), {.step = step, .sums = {0}}, card, "");
  }

  std::unique_ptr<Training> training;
  Ema ema;
};

TEST(StandinResume, GoesOnWithTheSameBytes) {
  const test::TempFolder temp;
  const std::string whole = temp.path("whole.safetensors"), half = temp.path("half.safetensors"),
                    resumed = temp.path("resumed.safetensors");
  {
    Session straight;
    straight.steps(0, 3);
    straight.save(whole, 3);
  }
  set({.eager = 0.7, .seed = 9});
  simt::set_order(simt::Order::kRandom, 5);
  {
    Session first;
    first.steps(0, 2);
    first.save(half, 2);
  }
  {
    Session second;
    EXPECT_EQ(load_checkpoint(half, second.parts()).step, 2);
    second.steps(2, 3);
    second.save(resumed, 3);
  }
  simt::set_order(simt::Order::kUp);
  set({});
  EXPECT_GT(test::bytes_of(whole).size(), 100'000u);
  EXPECT_TRUE(test::bytes_of(whole) == test::bytes_of(resumed)) << whole << " and " << resumed << " differ";
  expect_no_mistakes();
}

}  // namespace
}  // namespace ghost::standin
