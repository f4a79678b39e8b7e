#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/error.h"
#include "tests/support/temp_folder.h"
#include "train/metrics_csv.h"

namespace ghost {
namespace {
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class MetricsCsvTest : public testing::Test {
 protected:
  void SetUp() override { path_ = str(testing::TempDir(), "/ghost-metrics-", ::getpid(), ".csv"); }
  void TearDown() override { std::filesystem::remove(path_); }

  std::string content() const { return test::bytes_of(path_); }
  void set_content(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  MetricsCsv open() const { return MetricsCsv(path_, {"epoch", "step", "train/loss", "val/top1"}); }

  std::string path_;
};

TEST_F(MetricsCsvTest, WritesRowsAtOnceAndExactly) {
  MetricsCsv csv = open();
  EXPECT_EQ(content(), "epoch,step,train/loss,val/top1\n");
  csv.append({{"epoch", 1}, {"step", 100000}, {"train/loss", 1.0 / 3}});
  EXPECT_EQ(content(), "epoch,step,train/loss,val/top1\n1,100000,0.3333333333333333,\n");
  csv.append({{"val/top1", 0.5}, {"epoch", 2}});
  EXPECT_THAT(content(), HasSubstr("\n2,,,0.5\n"));
  EXPECT_EQ(csv.column("train/loss")[0], 1.0 / 3);
  EXPECT_TRUE(std::isnan(csv.column("train/loss")[1]));
  EXPECT_THROW(csv.append({{"no such", 1}}), Error);
}

TEST_F(MetricsCsvTest, ResumedRunEqualsAStraightOne) {
  const auto row = [](MetricsCsv& csv, int epoch) {
    csv.append({{"epoch", epoch}, {"step", 10 * epoch}, {"train/loss", 1.0 / epoch}});
  };
  {
    MetricsCsv csv = open();
    for (int epoch = 1; epoch <= 6; ++epoch) row(csv, epoch);
  }
  const std::string straight = content();
  std::filesystem::remove(path_);
  {
    MetricsCsv csv = open();
    for (int epoch = 1; epoch <= 5; ++epoch) row(csv, epoch);
  }
  set_content(content() + "6,60,0.1");  // killed while writing a row
  MetricsCsv csv = open();
  EXPECT_EQ(csv.rows(), 5u);
  csv.truncate_after("epoch", 3);
  EXPECT_THAT(csv.column("epoch"), ElementsAre(1, 2, 3));
  EXPECT_EQ(open().rows(), 3u);
  for (int epoch = 4; epoch <= 6; ++epoch) row(csv, epoch);
  EXPECT_EQ(content(), straight);
}

TEST_F(MetricsCsvTest, RefusesAnotherHeaderOrRow) {
  const auto refusal = [&] {
    try {
      open();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  set_content("epoch,loss\n1,2\n");
  EXPECT_THAT(refusal(),
              HasSubstr("has the columns 'epoch,loss', but this run writes 'epoch,step,train/loss,val/top1'"));
  set_content("epoch,step,train/loss,val/top1\n1,2,3\n");
  EXPECT_THAT(refusal(), HasSubstr(":2: 3 values for 4 columns"));
  set_content("epoch,step");
  EXPECT_THAT(refusal(), HasSubstr("has the columns ''"));
}

TEST_F(MetricsCsvTest, ReportsAFailedRow) {
  MetricsCsv csv = open();
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  try {
    csv.append({{"epoch", 1}});
    FAIL() << "nothing was reported";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDisk);
    EXPECT_THAT(error.what(), HasSubstr("bytes needed"));
  }
  EXPECT_EQ(csv.rows(), 0u);
}

}  // namespace
}  // namespace ghost
