// The verbs one after another on one run, as the README shows them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/safetensors.h"
#include "tests/apps/program.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class Verbs : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    root_ = test_folder();
    make_picture_folders(root_, 3, 8);
    const ProgramResult result = run_program({"train", write_tiny_config(root_), "run_name=run"}, root_);
    ASSERT_EQ(result.exit_code, 0) << result.output;
  }
  static void TearDownTestSuite() { fs::remove_all(root_); }
  static std::string run() { return root_ + "/runs/run"; }
  static std::string root_;
};

std::string Verbs::root_;

// The last value of a column of metrics.csv.
double last_metric(const std::string& run, int column) {
  const std::string text = test::bytes_of(run + "/metrics.csv");
  std::istringstream lines(text);
  std::string line, last;
  while (std::getline(lines, line)) last = line;
  std::istringstream fields(last);
  for (int i = 0; i <= column; ++i) std::getline(fields, line, ',');
  return std::stod(line);
}

TEST_F(Verbs, TrainLeavesAWholeRunFolder) {
  for (const char* name :
       {"config.yaml", "classes.txt", "environment.txt", "metrics.csv", "log.txt", "checkpoints/last.safetensors",
        "checkpoints/best.safetensors", "checkpoints/epoch-0012.safetensors", "plots/train_batch_0.jpg",
        "plots/curves.svg", "plots/confusion.svg"})
    EXPECT_GT(fs::file_size(run() + "/" + name), 0u) << name;
  EXPECT_EQ(test::bytes_of(run() + "/classes.txt"), "class_a\nclass_b\nclass_c\n");
  EXPECT_FALSE(fs::exists(run() + "/checkpoints/epoch-0001.safetensors"));  // checkpoint.keep is 3
  EXPECT_EQ(test::bytes_of(run() + "/log.txt").find('\r'), std::string::npos);
}

TEST_F(Verbs, ValGivesTheFiguresOfTheTraining) {
  const ProgramResult result = run_program(
      {"val", run() + "/checkpoints/last.safetensors", "--json", root_ + "/val.json", "--plots", root_ + "/deep/plots"},
      root_);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_THAT(test::bytes_of(root_ + "/deep/plots/confusion.svg"), HasSubstr("class_b"));
  const nlohmann::json json = nlohmann::json::parse(test::bytes_of(root_ + "/val.json"));
  EXPECT_EQ(json["loss"].get<double>(), last_metric(run(), 7));
  EXPECT_EQ(json["top1"].get<double>(), last_metric(run(), 8));
  EXPECT_EQ(json["top5"].get<double>(), last_metric(run(), 9));
}

TEST_F(Verbs, ExportHoldsTheSameWeightsAndPredictsTheSame) {
  const std::string file = root_ + "/out.safetensors";
  ASSERT_EQ(run_program({"export", run(), "--to", file}, root_).exit_code, 0);
  const SafetensorsReader exported(file), best(run() + "/checkpoints/best.safetensors");
  ASSERT_EQ(exported.names(), best.names());
  for (const std::string& name : best.names()) EXPECT_EQ(exported.read(name).to_vector(), best.read(name).to_vector());
  ASSERT_EQ(run_program({"predict", file, root_ + "/val", "--out", root_ + "/a"}, root_).exit_code, 0);
  ASSERT_EQ(run_program({"predict", run(), root_ + "/val", "--out", root_ + "/b"}, root_).exit_code, 0);
  EXPECT_EQ(test::bytes_of(root_ + "/a/predictions.json"), test::bytes_of(root_ + "/b/predictions.json"));
  const nlohmann::json answers = nlohmann::json::parse(test::bytes_of(root_ + "/a/predictions.json"));
  EXPECT_EQ(answers.size(), 24u);
  EXPECT_EQ(run_program({"export", run(), "--to", root_ + "/out.pth"}, root_).exit_code, 2);
}

TEST_F(Verbs, PredictGoesOnAfterAnUnreadablePicture) {
  const std::string bad = root_ + "/bad.png";
  std::ofstream(bad) << "nonsense";
  const ProgramResult result = run_program({"predict", run(), bad, root_ + "/val/class_a/*.png"}, root_);
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.output, AllOf(HasSubstr("bad.png"), HasSubstr("class_a/7.png"), HasSubstr("9 pictures")));
}

TEST_F(Verbs, DryRunWritesNothing) {
  const ProgramResult result = run_program({"train", root_ + "/tiny.yaml", "run_name=dry", "--dry-run"}, root_);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, HasSubstr("12 epochs of 6 steps"));
  EXPECT_FALSE(fs::exists(root_ + "/runs/dry"));
}

TEST_F(Verbs, InfoCountsThePublishedNumbers) {
  const ProgramResult result = run_program({"info", "ghostnet"}, root_);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, HasSubstr("5182508 parameters, 141150512 MACs"));
  EXPECT_THAT(run_program({"info", run()}, root_).output, HasSubstr("3 classes"));
  EXPECT_THAT(run_program({"info", "--list"}, root_).output, HasSubstr("ghostnet"));
  const auto json = nlohmann::json::parse(run_program({"info", "ghostnet", "--json"}, root_).output);
  EXPECT_EQ(json["parameters"], 5182508);
}

TEST_F(Verbs, CheckFindsOverlapBetweenSplits) {
  make_picture_folders(root_ + "/twice", 2, 2);
  fs::copy_file(root_ + "/twice/train/class_a/0.png", root_ + "/twice/val/class_a/same.png");
  const ProgramResult result = run_program({"check", root_ + "/twice/train", "--val", root_ + "/twice/val"}, root_);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, HasSubstr("same.png"));
}

TEST_F(Verbs, BenchReportsWhatAStepCosts) {
  const ProgramResult result =
      run_program({"bench", "--width", "0.25", "--size", "32", "--batch-size", "2", "--steps", "3", "--json"}, root_);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const nlohmann::json json = nlohmann::json::parse(result.output);
  EXPECT_GT(json["images_per_second"].get<double>(), 0);
  EXPECT_EQ(json["allocations_per_step"].get<double>(), 0);
  EXPECT_EQ(json["ops"]["ghost_concat"]["calls"].get<int>(), 3 * 32);
}

TEST_F(Verbs, VersionAndDoctor) {
  const auto start = std::chrono::steady_clock::now();
  const ProgramResult version = run_program({"--version"}, root_);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_THAT(version.output, HasSubstr("ghosttrain 0."));
  EXPECT_LT(seconds, 1.0);  // 0.1 s on a calm machine; tests run several at a time
  EXPECT_THAT(run_program({"doctor"}, root_).output, HasSubstr("CUDA"));
}

}  // namespace
}  // namespace ghost
