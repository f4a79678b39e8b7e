#include "train/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "core/error.h"
#include "tests/support/temp_folder.h"
#include "train/number_text.h"

namespace ghost {
namespace {
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

// A FILE whose content can be read back.
class Screen {
 public:
  Screen() : file_(std::tmpfile()) {}
  ~Screen() { std::fclose(file_); }
  std::FILE* file() { return file_; }
  std::string text() {
    std::string result;
    std::fflush(file_);
    std::rewind(file_);
    for (int c; (c = std::fgetc(file_)) != EOF;) result += static_cast<char>(c);
    return result;
  }

 private:
  std::FILE* file_;
};

TEST(Log, WritesTerminalAndFileWithoutControlCharacters) {
  const std::string path = str(testing::TempDir(), "/ghost-log-", ::getpid(), ".txt");
  Screen screen;
  {
    Log log(screen.file(), false);
    log.line("before the file");
    log.open_file(path);
    log.line("a\x1b[31mred\x1b[0m\rb\tc\nd \xc3\xa9 \xc2\x9bx");
    log.warn("careful");
    log.status("not shown");
  }
  EXPECT_EQ(test::bytes_of(path), "a?[31mred?[0m?b\tc\nd \xc3\xa9 ??x\nwarning: careful\n");
  EXPECT_EQ(screen.text(), "before the file\n" + test::bytes_of(path));
  Log again(nullptr, true);
  again.open_file(path);
  again.line("more");
  EXPECT_THAT(test::bytes_of(path), EndsWith("careful\nmore\n"));
  EXPECT_THROW(again.open_file("/no/such/folder/log.txt"), Error);
  std::filesystem::remove(path);
}

TEST(Log, ReportsAFullDisk) {
  Log log(nullptr, false);
  log.open_file("/dev/full");
  try {
    log.line("x");
    FAIL() << "nothing was reported";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDisk);
    EXPECT_THAT(error.what(), HasSubstr("/dev/full"));
  }
}

TEST(Log, DrawsTheStatusBelowTheLines) {
  Screen screen;
  {
    Log log(screen.file(), true);
    log.status("50%");
    log.line("hello");
    log.status("");
    log.status("");
  }
  EXPECT_EQ(screen.text(), "\r\x1b[K50%\r\x1b[Khello\n50%\r\x1b[K");
}

TEST(Progress, PlainLinesWhereThereIsNoTerminal) {
  Screen screen;
  Log log(screen.file(), false);
  double now = 100;
  {
    Progress progress(log, {.label = "epoch 3/30", .steps = 120, .steps_after = 120, .clock = [&] { return now; }});
    for (int step = 1; step <= 120; ++step) {
      now += 1;
      progress.update({.step = step, .images = 32 * step, .loss = 1.23456, .learning_rate = 0.03125});
    }
    EXPECT_DOUBLE_EQ(progress.images_per_second(), 32);
    EXPECT_DOUBLE_EQ(progress.seconds(), 120);
  }
  EXPECT_EQ(screen.text(),
            "epoch 3/30 30/120  32 img/s  loss 1.2346  lr 0.0312  eta 3:30\n"
            "epoch 3/30 60/120  32 img/s  loss 1.2346  lr 0.0312  eta 3:00\n"
            "epoch 3/30 90/120  32 img/s  loss 1.2346  lr 0.0312  eta 2:30\n"
            "epoch 3/30 120/120  32 img/s  loss 1.2346  lr 0.0312  eta 2:00\n");
}

TEST(Progress, ABarOnATerminalThatIsTakenAway) {
  Screen screen;
  Log log(screen.file(), true);
  double now = 0;
  {
    Progress progress(log, {.label = "epoch 1/1", .steps = 4, .clock = [&] { return now; }});
    for (int step = 1; step <= 4; ++step) {
      now += 0.06;
      progress.update({.step = step, .images = step});
    }
  }
  const std::string text = screen.text();
  EXPECT_THAT(text, HasSubstr("\r\x1b[Kepoch 1/1 ["));
  EXPECT_THAT(text, HasSubstr("] 2/4"));
  EXPECT_THAT(text, Not(HasSubstr("] 1/4"))) << "drawn more often than every 0.1 s";
  EXPECT_THAT(text, HasSubstr("] 4/4"));
  EXPECT_THAT(text, EndsWith("\r\x1b[K"));
  EXPECT_THAT(text, Not(HasSubstr("\n")));
}

TEST(Progress, AResumedEpochCountsItsOwnStepsOnly) {
  Screen screen;
  Log log(screen.file(), false);
  double now = 0;
  Progress progress(
      log, {.label = "epoch", .steps = 100, .first_step = 90, .plain_seconds = 1, .clock = [&] { return now; }});
  now = 2;
  progress.update({.step = 91, .images = 8});
  EXPECT_THAT(screen.text(), HasSubstr("91/100  4 img/s"));
  EXPECT_THAT(screen.text(), HasSubstr("eta 18 s"));
}

TEST(Progress, OddNumbersDoNoHarm) {
  Screen screen;
  Log log(screen.file(), true);
  double now = 0;
  Progress progress(log,
                    {.label = std::string(300, 'x'), .steps = 0, .redraw_seconds = 0, .clock = [&] { return now; }});
  progress.update({.step = 5, .images = 0, .loss = std::numeric_limits<double>::quiet_NaN(), .learning_rate = 1e300});
  EXPECT_LE(screen.text().size(), 110u) << "the line would break";
}

TEST(NumberText, IsShortAndExact) {
  EXPECT_EQ(shortest(0.1), "0.1");
  EXPECT_EQ(shortest(100000), "100000");
  EXPECT_EQ(shortest(-0.0), "-0");
  EXPECT_EQ(shortest(1e-7), "1e-07");
  for (const double value : {1.0 / 3, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, 123456789012345.0, 1e15, -2.5}) {
    EXPECT_EQ(std::strtod(shortest(value).c_str(), nullptr), value);
  }
  EXPECT_EQ(duration_text(7.4), "7 s");
  EXPECT_EQ(duration_text(205), "3:25");
  EXPECT_EQ(duration_text(3727), "1:02:07");
  EXPECT_EQ(duration_text(std::numeric_limits<double>::quiet_NaN()), "0 s");
  EXPECT_EQ(duration_text(std::numeric_limits<double>::infinity()), "2400:00:00");
}

}  // namespace
}  // namespace ghost
