#include "core/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/error.h"
#include "tests/support/temp_folder.h"

namespace ghost {
namespace {
namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class AtomicFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / str("ghost-atomic-", ::getpid());
    fs::create_directories(folder_);
    path_ = (folder_ / "a.bin").string();
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string content() const { return test::bytes_of(path_); }
  size_t files() const { return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {})); }

  fs::path folder_;
  std::string path_;
};

TEST_F(AtomicFileTest, AppearsOnCommitOnly) {
  AtomicFile file(path_);
  file.write("half ");
  file.write("whole");
  EXPECT_FALSE(fs::exists(path_));
  file.commit();
  EXPECT_EQ(content(), "half whole");
  EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFileTest, KeepsTheOldFileWithoutCommit) {
  write_file_atomically(path_, "old");
  {
    AtomicFile file(path_);
    file.write("new");
    EXPECT_EQ(content(), "old");
  }
  EXPECT_EQ(content(), "old");
  EXPECT_EQ(files(), 1u);
  write_file_atomically(path_, "");
  EXPECT_EQ(content(), "");
}

TEST_F(AtomicFileTest, TwoWritersDoNotMix) {
  AtomicFile a(path_), b(path_);
  a.write("aaaa");
  b.write("b");
  a.commit();
  b.commit();
  EXPECT_EQ(content(), "b");
  EXPECT_EQ(files(), 1u);
}

// A child process that may not write beyond `limit` bytes; the same path through the code as a full disk.
int write_under_limit(const std::string& path, rlim_t limit, size_t bytes, int64_t expected) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit size{limit, limit};
    setrlimit(RLIMIT_FSIZE, &size);
    try {
      AtomicFile file(path, expected);
      file.write(std::string(bytes, 'x'));
      file.commit();
    } catch (const Error& error) {
      const std::string what = error.what();
      const bool named = what.find(path) != std::string::npos && what.find("bytes free") != std::string::npos &&
                         what.find(str(bytes, " bytes needed, ", limit, " written")) != std::string::npos;
      ::_exit(error.kind() == ErrorKind::kDisk && named ? 7 : 1);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(AtomicFileTest, AFailedWriteLeavesTheOldFileAndNothingElse) {
  write_file_atomically(path_, "old");
  EXPECT_EQ(write_under_limit(path_, 1000, 5000, 0), 7);
  EXPECT_EQ(content(), "old");
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(write_under_limit(path_, 1000, 1000, 1000), 0);
  EXPECT_EQ(content().size(), 1000u);
}

TEST_F(AtomicFileTest, RefusesWhatCannotFitBeforeItStarts) {
  try {
    AtomicFile file(path_, int64_t{1} << 60);
    FAIL() << "accepted 2^60 bytes";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDisk);
    EXPECT_THAT(error.what(), AllOf(HasSubstr(path_), HasSubstr("1152921504606846976 bytes needed")));
  }
  EXPECT_EQ(files(), 0u);
  EXPECT_GT(free_disk_bytes(path_), 0);
  EXPECT_EQ(free_disk_bytes("/no/such/folder/file"), -1);
}

TEST_F(AtomicFileTest, NamesAPathThatCannotBeWritten) {
  EXPECT_THROW(AtomicFile((folder_ / "missing" / "a").string()), Error);
  write_file_atomically(path_, "old");
  EXPECT_THROW(AtomicFile(path_ + "/below-a-file"), Error);
  fs::create_directories(folder_ / "taken" / "full");
  EXPECT_THROW(write_file_atomically((folder_ / "taken").string(), "x"), Error);
  EXPECT_EQ(files(), 2u) << "a temporary file was left";
}

TEST_F(AtomicFileTest, RemovesWhatAKilledProcessLeft) {
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(path_);
    file.write("half");
    ::_exit(0);  // no destructor runs, as under SIGKILL
  }
  ::waitpid(child, nullptr, 0);
  std::ofstream(folder_ / "mine.tmp-file") << "stays";
  EXPECT_EQ(files(), 2u);
  remove_unfinished_files(folder_.string());
  EXPECT_EQ(files(), 1u);
  EXPECT_TRUE(fs::exists(folder_ / "mine.tmp-file"));
}

}  // namespace
}  // namespace ghost
