// A run whose device has no memory left ends with kDevice and advice, its checkpoint stays whole, and the run goes on
// where there is memory again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/allocator.h"
#include "data/image_write.h"
#include "tests/standin/mistakes.h"
#include "tests/standin/standin.h"
#include "tests/support/temp_folder.h"
#include "train/batch_advice.h"
#include "train/resume.h"
#include "train/trainer.h"

namespace ghost::standin {
namespace {

using testing::HasSubstr;

void write_pictures(const std::string& folder) {
  for (const char* const label : {"dark", "light"}) {
    std::filesystem::create_directories(folder + "/" + label);
    for (int i = 0; i < 4; ++i) {
      Image image(32, 32);
      for (int y = 0; y < 32; ++y)
        for (int x = 0; x < 32; ++x) image.at(x, y)[i % 3] = static_cast<uint8_t>(x + y + (label[0] == 'l' ? 150 : 0));
      write_image(folder + "/" + label + "/" + std::to_string(i) + ".png", image);
    }
  }
}

class StandinOutOfMemory : public testing::Test {
 protected:
  void SetUp() override {
    write_pictures(temp_.path("train"));
    write_pictures(temp_.path("val"));
    config_ = temp_.write_text(
        "run.yaml", "model: {width: 0.25}\ndata: {train: " + temp_.path("train") + ", val: " + temp_.path("val") +
                        ", workers: 1}\ninput: {size: 32}\ndevice: cuda\noutput: " + temp_.path("runs") +
                        "\nrun_name: run\n");
  }
  void TearDown() override { set({}); }

  // spare: bytes that the device has beyond what weights and moments take; 0: plenty.
  int train(const Config& config, bool resuming, int64_t spare = 0) {
    Log log(nullptr, false);
    ghost::Run run(config, resuming);
    const RunFolder folder = resuming ? RunFolder::open(temp_.path("runs/run")) : RunFolder::create(config);
    return with_batch_advice(config, run.task->card(), [&] {
      Trainer trainer(run, folder, log);
      if (resuming) trainer.resume();
      release_cached(Device::cuda());
      if (spare > 0) set({.memory = memory_stats(Device::cuda()).in_use + spare});
      return trainer.train();
    });
  }

  const test::TempFolder temp_;
  std::string config_;
};

TEST_F(StandinOutOfMemory, EndsWithAdviceAndLeavesTheCheckpointWhole) {
  const LoadedConfig loaded = load_config(config_, {"train.epochs=2", "train.batch_size=4"});
  Config one = loaded.config;
  one.train.epochs = 1;
  EXPECT_EQ(train(one, false), 0);
  const std::string checkpoint = temp_.path("runs/run/checkpoints/last.safetensors"),
                    before = test::bytes_of(checkpoint);
  ASSERT_GT(before.size(), 10'000u);

  try {
    train(loaded.config, true, 1 << 20);
    FAIL() << "trained in 1 MiB";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    EXPECT_EQ(static_cast<int>(error.kind()), 5);  // the program's exit code
    EXPECT_THAT(error.what(), HasSubstr("out of memory on cuda:0: asked "));
    EXPECT_THAT(error.what(), HasSubstr("\n  in the backward pass of "));
    EXPECT_THAT(error.what(), HasSubstr("Not even one picture of 32x32"));
  }
  EXPECT_TRUE(test::bytes_of(checkpoint) == before);

  set({});
  EXPECT_EQ(train(loaded.config, true), 0);
  EXPECT_FALSE(test::bytes_of(checkpoint) == before);
  release_cached(Device::cuda());
  EXPECT_EQ(live_blocks(), 0);
  expect_no_mistakes();
}

}  // namespace
}  // namespace ghost::standin
