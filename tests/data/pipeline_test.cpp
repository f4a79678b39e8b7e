#include "data/pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>

#include "pictures.h"

namespace ghost {
namespace {

// Batches hold the squares of their items; finish adds 1 to each.
struct Squares {
  explicit Squares(Pipeline::Options options)
      : values(static_cast<size_t>(options.slots), std::vector<int64_t>(4, -1)),
        pipeline(options, {.item =
                               [this](int slot, int64_t item, int64_t place) {
                                 if (item == bad_item) GHOST_FAIL(kData, "item ", item, " is bad");
                                 values[static_cast<size_t>(slot)][static_cast<size_t>(place)] = item * item;
                                 ++done;
                               },
                           .finish =
                               [this](int slot, int64_t first, int64_t count) {
                                 if (first == bad_batch) GHOST_FAIL(kData, "batch at ", first, " is bad");
                                 for (int64_t i = 0; i < count; ++i)
                                   ++values[static_cast<size_t>(slot)][static_cast<size_t>(i)];
                               }}) {}

  std::vector<int64_t> drain(int64_t first, int64_t end) {
    std::vector<int64_t> all;
    for (int64_t left = end - first; left > 0; left -= 4) {
      const int slot = pipeline.next();
      EXPECT_GE(slot, 0);
      const auto& batch = values[static_cast<size_t>(slot)];
      all.insert(all.end(), batch.begin(), batch.begin() + std::min<int64_t>(left, 4));
    }
    EXPECT_EQ(pipeline.next(), -1);
    EXPECT_EQ(pipeline.next(), -1);
    return all;
  }

  int64_t bad_item = -1, bad_batch = -1;
  std::atomic<int64_t> done{0};
  std::vector<std::vector<int64_t>> values;
  Pipeline pipeline;
};

std::vector<int64_t> squares_plus_one(int64_t first, int64_t end) {
  std::vector<int64_t> wanted;
  for (int64_t i = first; i < end; ++i) wanted.push_back(i * i + 1);
  return wanted;
}

class PipelineTest : public testing::TestWithParam<int> {
 protected:
  Pipeline::Options options() const { return {.workers = GetParam(), .slots = 3}; }
};

TEST_P(PipelineTest, BatchesComeInOrder) {
  Squares squares(options());
  EXPECT_EQ(squares.pipeline.next(), -1);  // nothing was started
  for (const auto& [first, end] : {std::pair<int64_t, int64_t>{0, 103}, {0, 8}, {50, 61}, {7, 7}, {3, 4}}) {
    squares.pipeline.start(first, end, 4);
    EXPECT_EQ(squares.drain(first, end), squares_plus_one(first, end));
  }
}

TEST_P(PipelineTest, StartDropsWhatIsUnderWay) {
  Squares squares(options());
  for (int64_t round = 0; round < 50; ++round) {
    squares.pipeline.start(round, 1000, 4);
    const int slot = squares.pipeline.next();
    ASSERT_GE(slot, 0);
    ASSERT_EQ(squares.values[static_cast<size_t>(slot)][0], round * round + 1);
  }
  squares.pipeline.start(10, 30, 4);
  EXPECT_EQ(squares.drain(10, 30), squares_plus_one(10, 30));
}

TEST_P(PipelineTest, WorkAheadIsBounded) {
  Squares squares(options());
  squares.pipeline.start(0, 1000, 4);
  ASSERT_GE(squares.pipeline.next(), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LE(squares.done.load(), 3 * 4);  // one batch held, two ahead
}

TEST_P(PipelineTest, ErrorsArriveAtTheirBatch) {
  for (const bool in_item : {true, false}) {
    Squares squares(options());
    (in_item ? squares.bad_item : squares.bad_batch) = 8;
    squares.pipeline.start(0, 40, 4);
    EXPECT_GE(squares.pipeline.next(), 0);
    EXPECT_GE(squares.pipeline.next(), 0);
    for (int again = 0; again < 2; ++again)
      EXPECT_NE(error_message(ErrorKind::kData, [&] { squares.pipeline.next(); }).find("8 is bad"), std::string::npos);
    squares.pipeline.cancel();  // no thread reads them now
    squares.bad_item = squares.bad_batch = -1;
    squares.pipeline.start(0, 40, 4);
    EXPECT_EQ(squares.drain(0, 40), squares_plus_one(0, 40));
  }
}

TEST_P(PipelineTest, EndsAtAnyMoment) {
  for (int round = 0; round < 100; ++round) {
    Squares squares(options());
    if (round % 4 == 0) continue;
    squares.pipeline.start(0, 1000, 4);
    for (int i = 0; i < round % 4 - 1; ++i) squares.pipeline.next();
  }
}

INSTANTIATE_TEST_SUITE_P(Workers, PipelineTest, testing::Values(0, 1, 3));

TEST(Pipeline, TheFirstErrorInOrderIsTold) {
  // Item 1 fails long before item 0.
  Pipeline pipeline({.workers = 2, .slots = 2}, {.item =
                                                     [](int, int64_t item, int64_t) {
                                                       if (item == 0)
                                                         std::this_thread::sleep_for(std::chrono::milliseconds(50));
                                                       GHOST_FAIL(kData, "item ", item);
                                                     },
                                                 .finish = [](int, int64_t, int64_t) {}});
  pipeline.start(0, 2, 2);
  EXPECT_EQ(error_message(ErrorKind::kData, [&] { pipeline.next(); }), "item 0");
}

TEST(Pipeline, WaitIsMeasured) {
  Pipeline pipeline({.workers = 1, .slots = 2},
                    {.item = [](int, int64_t, int64_t) { std::this_thread::sleep_for(std::chrono::milliseconds(20)); },
                     .finish = [](int, int64_t, int64_t) {}});
  pipeline.start(0, 3, 1);
  while (pipeline.next() >= 0) {
  }
  EXPECT_GT(pipeline.wait_seconds(), 0.04);
}

}  // namespace
}  // namespace ghost
