#include "train/interrupt.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace ghost {
namespace {

TEST(Interrupt, NotesTheFirstSignalAndRestores) {
  struct sigaction before, after;
  sigaction(SIGINT, nullptr, &before);
  for (const int number : {SIGINT, SIGTERM}) {
    const InterruptGuard guard;
    EXPECT_EQ(interrupted(), 0);
    std::raise(number);
    EXPECT_EQ(interrupted(), number);
  }
  EXPECT_EQ(interrupted(), 0);
  sigaction(SIGINT, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

// The exit code of a child that gets two signals while guarded.
int exit_of(int first, int second) {
  const pid_t child = ::fork();
  if (child == 0) {
    const InterruptGuard guard;
    std::raise(first);
    if (interrupted() != first) ::_exit(1);
    std::raise(second);
    ::_exit(2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Interrupt, ASecondSignalEndsAtOnce) {
  EXPECT_EQ(exit_of(SIGINT, SIGINT), 130);
  EXPECT_EQ(exit_of(SIGTERM, SIGTERM), 143);
  EXPECT_EQ(exit_of(SIGINT, SIGTERM), 143);
}

TEST(Interrupt, SeesASignalToTheProcess) {
  const InterruptGuard guard;
  std::thread([] { ::kill(::getpid(), SIGTERM); }).join();
  for (int i = 0; i < 1000 && interrupted() == 0; ++i) ::usleep(1000);
  EXPECT_EQ(interrupted(), SIGTERM);
}

}  // namespace
}  // namespace ghost
