#include "train/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/atomic_file.h"
#include "core/error.h"
#include "tests/support/temp_folder.h"

namespace ghost {
namespace {
namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class RunFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    output_ = fs::path(testing::TempDir()) / str("ghost-runs-", ::getpid());
    config_.output = output_.string();
  }
  void TearDown() override { fs::remove_all(output_); }

  template <class Body>
  static std::string refusal(const Body& body, ErrorKind kind = ErrorKind::kUsage) {
    try {
      body();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind);
      return error.what();
    }
    return "accepted";
  }

  fs::path output_;
  Config config_;
};

TEST_F(RunFolderTest, NamesByModelAndTimeAndNeverTwice) {
  std::tm parts{};
  parts.tm_year = 2026 - 1900;
  parts.tm_mon = 10;
  parts.tm_mday = 24;
  parts.tm_hour = 10;
  parts.tm_min = 15;
  parts.tm_isdst = -1;
  const std::time_t now = std::mktime(&parts);
  const RunFolder a = RunFolder::create(config_, now), b = RunFolder::create(config_, now),
                  c = RunFolder::create(config_, now);
  EXPECT_EQ(a.path(), (output_ / "ghostnet-20261124-101500").string());
  EXPECT_EQ(b.path(), a.path() + "-2");
  EXPECT_EQ(c.path(), a.path() + "-3");
  EXPECT_TRUE(fs::is_directory(a.path() + "/checkpoints"));
  EXPECT_TRUE(fs::is_directory(a.path() + "/plots"));
  EXPECT_EQ(load_config(a.config_file()).config, config_);
}

TEST_F(RunFolderTest, RefusesAGivenNameThatHasContent) {
  config_.run_name = "mine";
  { const RunFolder first = RunFolder::create(config_); }
  EXPECT_THAT(refusal([&] { RunFolder::create(config_); }), EndsWith("--resume " + (output_ / "mine").string()));
  fs::create_directories(output_ / "empty");
  config_.run_name = "empty";
  EXPECT_EQ(RunFolder::create(config_).path(), (output_ / "empty").string());
  std::ofstream(output_ / "file") << "x";
  config_.run_name = "file";
  EXPECT_THAT(refusal([&] { RunFolder::create(config_); }), HasSubstr("no folder"));
  config_.output = (output_ / "file" / "below").string();
  EXPECT_THAT(refusal([&] { RunFolder::create(config_); }, ErrorKind::kDisk), HasSubstr("could not make the folder"));
}

TEST_F(RunFolderTest, OpensARunsFolderOnly) {
  fs::create_directories(output_);
  EXPECT_THAT(refusal([&] { RunFolder::open((output_ / "nothing").string()); }), HasSubstr("is no folder"));
  EXPECT_THAT(refusal([&] { RunFolder::open(output_.string()); }), HasSubstr("holds no config.yaml"));
  EXPECT_FALSE(fs::exists(output_ / "lock"));
}

TEST_F(RunFolderTest, ASecondHolderIsRefusedWithThePid) {
  RunFolder first = RunFolder::create(config_);
  const RunFolder moved = std::move(first);
  EXPECT_THAT(refusal([&] { RunFolder::open(moved.path()); }), HasSubstr(str("in use by process ", ::getpid(), ".")));
}

TEST_F(RunFolderTest, AKilledHoldersLockIsGone) {
  std::string path;
  { path = RunFolder::create(config_).path(); }
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const RunFolder held = RunFolder::open(path);
    AtomicFile half(held.last_checkpoint());
    half.write("half");
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THAT(refusal([&] { RunFolder::open(path); }), HasSubstr(str("in use by process ", child, ".")));
  EXPECT_FALSE(fs::is_empty(path + "/checkpoints"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const RunFolder again = RunFolder::open(path);
  EXPECT_TRUE(fs::is_empty(path + "/checkpoints")) << "the half-written file stayed";
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(RunFolderTest, WritesWhatRan) {
  const RunFolder folder = RunFolder::create(config_);
  folder.write_classes({"cat", "dog"});
  folder.write_environment({.version = "1.2.3", .device = "cpu", .image_decoder = "stb_image"});
  EXPECT_EQ(test::bytes_of(folder.file("classes.txt")), "cat\ndog\n");
  const std::string environment = test::bytes_of(folder.file("environment.txt"));
  EXPECT_THAT(environment, HasSubstr("ghosttrain       1.2.3\n"));
  for (const char* name : {"device", "image decoder", "date", "system", "cpu", "cpu features", "compute threads",
                           "memory", "compiler", "build"}) {
    EXPECT_THAT(environment, HasSubstr(str("\n", name, " "))) << name;
  }
}

TEST_F(RunFolderTest, KeepsTheNewestCheckpoints) {
  const RunFolder folder = RunFolder::create(config_);
  EXPECT_THAT(folder.epoch_checkpoint(10), EndsWith("checkpoints/epoch-0010.safetensors"));
  for (const int64_t epoch : {9, 10, 100, 12345}) std::ofstream(folder.epoch_checkpoint(epoch)) << "x";
  for (const char* name :
       {"last.safetensors", "best.safetensors", "epoch-.safetensors", "epoch-7a.safetensors", "epoch-0001.txt"}) {
    std::ofstream(folder.file(std::string("checkpoints/") + name)) << "x";
  }
  EXPECT_THAT(folder.prune_checkpoints(2), ElementsAre(folder.epoch_checkpoint(9), folder.epoch_checkpoint(10)));
  EXPECT_TRUE(fs::exists(folder.epoch_checkpoint(100)) && fs::exists(folder.epoch_checkpoint(12345)));
  EXPECT_THAT(folder.prune_checkpoints(5), ElementsAre());
  EXPECT_EQ(folder.prune_checkpoints(0).size(), 2u);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.file("checkpoints")), {}), 5);
}

}  // namespace
}  // namespace ghost
