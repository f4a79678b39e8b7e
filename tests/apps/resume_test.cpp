// A run that was stopped, in whatever way and wherever, and resumed is the run that was not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/random.h"
#include "tests/apps/program.h"
#include "tests/apps/same_run.h"

namespace ghost {
namespace {

using testing::HasSubstr;

class Resume : public testing::Test {
 protected:
  void SetUp() override {
    root_ = test_folder();
    make_picture_folders(root_, 3, 9);
    config_ = write_tiny_config(root_,
                                "optimizer: {name: adamw, learning_rate: 0.002}\n"
                                "augment: {mixup: 0.2, rand_augment_ops: 1}\n"
                                "ema: {decay: 0.9}\n");
    run_straight();
  }
  void run_straight() {
    const ProgramResult result = run_program({"train", config_, "run_name=straight", precision_}, root_);
    ASSERT_EQ(result.exit_code, 0) << result.output;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::string run(const std::string& name) const { return root_ + "/runs/" + name; }

  // Resumes until the run is whole; each session is stopped after a random time.
  void finish_with_stops(int signal, int stops) {
    Rng rng(11, static_cast<uint64_t>(signal));
    int stopped = 0;
    for (int session = 0; session < 10 * stops; ++session) {
      const bool started = std::filesystem::exists(run("stopped") + "/checkpoints/last.safetensors");
      if (!started) std::filesystem::remove_all(run("stopped"));
      const std::vector<std::string> arguments =
          started ? std::vector<std::string>{"train", "--resume", run("stopped")}
                  : std::vector<std::string>{"train", config_, "run_name=stopped", precision_,
                                             "checkpoint.every_minutes=0.00001"};
      const pid_t process = start_program(arguments, root_);
      if (stopped < stops) {
        usleep(static_cast<useconds_t>(20'000 + rng.below(100'000)));
        kill(process, signal);
      }
      const int code = wait_for(process);
      if (code == 0) {
        EXPECT_EQ(stopped, stops) << "the run was over before it could be stopped as often";
        return;
      }
      ASSERT_EQ(code, 128 + signal) << test::bytes_of(root_ + "/output.txt");
      ++stopped;
    }
    FAIL() << "the run never finished";
  }

  std::string root_, config_, precision_ = "train.precision=fp32";
};

TEST_F(Resume, KilledAtTwentyRandomPoints) {
  finish_with_stops(SIGKILL, 20);
  expect_same_run(run("straight"), run("stopped"));
}

TEST_F(Resume, InterruptedInMidEpoch) {
  finish_with_stops(SIGINT, 4);
  expect_same_run(run("straight"), run("stopped"));
}

TEST_F(Resume, TerminatedInMidEpoch) {
  finish_with_stops(SIGTERM, 2);
  expect_same_run(run("straight"), run("stopped"));
}

TEST_F(Resume, TheLossScaleAndItsCountersGoOn) {
  std::filesystem::remove_all(run("straight"));
  precision_ = "train.precision=fp16";
  run_straight();
  finish_with_stops(SIGTERM, 2);
  expect_same_run(run("straight"), run("stopped"));
  EXPECT_THAT(test::bytes_of(run("straight") + "/metrics.csv"), HasSubstr("train/loss_scale,train/skipped_steps"));
}

TEST_F(Resume, FinishedRunSaysSoAndStaysAsItIs) {
  const std::string before = test::bytes_of(run("straight") + "/checkpoints/last.safetensors");
  const ProgramResult result = run_program({"train", "--resume", run("straight")}, root_);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, HasSubstr("has finished its 12 epochs"));
  EXPECT_EQ(test::bytes_of(run("straight") + "/checkpoints/last.safetensors"), before);
}

TEST_F(Resume, RefusesWhatWouldChangeTheRun) {
  const ProgramResult result = run_program({"train", "--resume", run("straight"), "optimizer.learning_rate=1"}, root_);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("'optimizer.learning_rate' cannot change on resume"));
}

TEST_F(Resume, ThreadsChangeNothing) {
  for (const char* threads : {"1", "2", "4"})
    for (const char* workers : {"0", "3"}) {
      const std::string name = std::string("threads") + threads + workers;
      const ProgramResult result =
          run_program({"train", config_, "run_name=" + name, std::string("train.threads=") + threads,
                       std::string("data.workers=") + workers},
                      root_);
      ASSERT_EQ(result.exit_code, 0) << result.output;
      expect_same_run(run("straight"), run(name));
    }
}

TEST_F(Resume, DamagedCheckpointIsRefused) {
  const std::string path = run("straight") + "/checkpoints/last.safetensors";
  const std::string whole = test::bytes_of(path);
  std::string damaged = whole;
  damaged[damaged.size() - 100] = static_cast<char>(damaged[damaged.size() - 100] ^ 1);
  std::ofstream(path, std::ios::binary) << damaged;
  const ProgramResult flipped = run_program({"train", "--resume", run("straight")}, root_);
  EXPECT_EQ(flipped.exit_code, 4);
  EXPECT_THAT(flipped.output, HasSubstr("does not match its checksum"));
  std::ofstream(path, std::ios::binary) << whole.substr(0, whole.size() / 2);
  const ProgramResult cut = run_program({"train", "--resume", run("straight")}, root_);
  EXPECT_EQ(cut.exit_code, 4);
  EXPECT_THAT(cut.output, HasSubstr("truncated"));
}

}  // namespace
}  // namespace ghost
