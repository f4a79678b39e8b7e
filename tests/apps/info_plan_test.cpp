// `ghosttrain info --device`: steps on GPUs that are not there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/apps/program.h"

namespace ghost {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class InfoPlan : public testing::Test {
 protected:
  void SetUp() override { root_ = test_folder(); }
  void TearDown() override { std::filesystem::remove_all(root_); }
  ProgramResult info(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "info");
    return run_program(arguments, root_);
  }
  nlohmann::json json_of(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    const ProgramResult result = info(std::move(arguments));
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return nlohmann::json::parse(result.output);
  }
  std::string root_;
};

TEST_F(InfoPlan, SaysWhatItIs) {
  const ProgramResult result = info({"ghostnet", "--device", "h100", "--batch-size", "8", "--size", "64"});
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("Computed, not measured"), HasSubstr("NVIDIA H100"), HasSubstr("cuDNN"),
                    HasSubstr("blocks.0.0.ghost1.primary_conv"), HasSubstr("batch 8"), HasSubstr("largest    batch")));
}

TEST_F(InfoPlan, ConfigsGiveTheStep) {
  const std::string config = write_tiny_config(root_);  // batch 4
  const nlohmann::json plain = json_of({config, "--device", "a100", "--classes", "3"});
  EXPECT_EQ(plain["batch_size"], 4);
  EXPECT_EQ(plain["classes"], 3);
  EXPECT_FALSE(plain["measured"]);
  const nlohmann::json more =
      json_of({config, "ema.decay=0.99", "train.accumulate=2", "--device", "a100", "--classes", "3"});
  EXPECT_EQ(plain["memory"]["average"], 0);
  EXPECT_EQ(more["memory"]["average"], more["memory"]["weights"]);
  EXPECT_GT(more["launches"], 1.7 * plain["launches"].get<double>());
}

TEST_F(InfoPlan, ModesDevicesAndDetectors) {
  const nlohmann::json train = json_of({"ghostnet-yolov4", "--device", "rtx4090", "--size", "64", "--batch-size", "2"});
  const nlohmann::json infer =
      json_of({"ghostnet-yolov4", "--device", "rtx4090", "--size", "64", "--batch-size", "2", "--mode", "infer"});
  EXPECT_LT(infer["bytes"], train["bytes"]);
  EXPECT_GT(infer["largest_batch"], train["largest_batch"]);
  EXPECT_EQ(infer["memory"]["gradients"], 0);
  const nlohmann::json slower = json_of({"ghostnet", "--device", "a100", "--size", "64"}),
                       faster = json_of({"ghostnet", "--device", "h100", "--size", "64"});
  EXPECT_GT(slower["floor_ms"], faster["floor_ms"]);
  EXPECT_EQ(slower["bytes"], faster["bytes"]);
}

TEST_F(InfoPlan, DescriptionsGoOutAndIn) {
  const ProgramResult printed = info({"--device", "h100"});
  EXPECT_EQ(printed.exit_code, 0);
  nlohmann::json card = nlohmann::json::parse(printed.output);
  card["deviceName"] = "small card";
  card["totalGlobalMem"] = 2000000000;
  const std::string file = root_ + "/card.json";
  std::ofstream(file) << card;
  const nlohmann::json plan = json_of({"ghostnet", "--device", file, "--size", "64"});
  EXPECT_EQ(plan["device"], "small card");
  EXPECT_LT(plan["largest_batch"], 2000);
  card["smClockRateKhz"] = 1;
  std::ofstream(file) << card;
  const ProgramResult refused = info({"ghostnet", "--device", file});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.output, AllOf(HasSubstr("card.json: unknown key 'smClockRateKhz'"), HasSubstr("smClockRateKHz")));
}

TEST_F(InfoPlan, RefusesUnknownDevices) {
  const ProgramResult result = info({"ghostnet", "--device", "h200"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("device 'h200' is not known"));
  EXPECT_EQ(info({"ghostnet", "--device", "h100", "--batch-size", "0"}).exit_code, 2);
  EXPECT_EQ(info({"ghostnet", "--device", "missing.json"}).exit_code, 2);
}

}  // namespace
}  // namespace ghost
