// A detector from its data to its predictions, as a user would go about it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/random.h"
#include "tests/apps/box_pictures.h"
#include "tests/apps/program.h"
#include "tests/apps/same_run.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class Detect : public testing::Test {
 protected:
  void SetUp() override {
    root_ = test_folder();
    make_box_pictures(root_ + "/data", 16);
    config_ = root_ + "/tiny.yaml";
    std::ofstream(config_)
        << "task: detect\n"
           "model: {name: mobilenetv1-yolov4, width: 0.25, anchors: [6, 6, 8, 10, 10, 8, 14, 20, 16, "
           "16, 20, 14, 24, 30, 30, 30, 50, 50]}\n"
           "data: {format: voc, train: "
        << root_ << "/data/ImageSets/Main/train.txt, val: " << root_
        << "/data/ImageSets/Main/val.txt, workers: 1}\n"
           "input: {size: 64}\n"
           "train: {epochs: 4, batch_size: 4, freeze_epochs: 2, freeze_batch_size: 3, seed: 5}\n"
           "schedule: {warmup_epochs: 0.5}\n"
           "output: "
        << root_ << "/runs\n";
  }
  void TearDown() override { fs::remove_all(root_); }
  std::string run(const std::string& name) const { return root_ + "/runs/" + name; }
  ProgramResult ghosttrain(const std::vector<std::string>& arguments) const { return run_program(arguments, root_); }

  std::string root_, config_;
};

TEST_F(Detect, ARunStoppedInEitherStageGoesOnBitForBit) {
  ProgramResult result = ghosttrain({"train", config_, "run_name=straight"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_THAT(result.output, HasSubstr("backbone frozen"));
  Rng rng(11, 1);
  int stopped = 0;
  for (int session = 0; session < 20; ++session) {
    const bool started = fs::exists(run("stopped") + "/checkpoints/last.safetensors");
    if (!started) fs::remove_all(run("stopped"));
    const std::vector<std::string> arguments =
        started ? std::vector<std::string>{"train", "--resume", run("stopped")}
                : std::vector<std::string>{"train", config_, "run_name=stopped", "checkpoint.every_minutes=0.00001"};
    const pid_t process = start_program(arguments, root_);
    if (stopped < 5) {
      // A session is let alone until there is something to go on from.
      for (int wait = 0; wait < 1000 && !fs::exists(run("stopped") + "/checkpoints/last.safetensors"); ++wait)
        usleep(20'000);
      usleep(static_cast<useconds_t>(rng.below(400'000)));
      kill(process, SIGKILL);
    }
    const int code = wait_for(process);
    if (code == 0) break;
    ASSERT_EQ(code, 128 + SIGKILL) << test::bytes_of(root_ + "/output.txt");
    ++stopped;
  }
  expect_same_run(run("straight"), run("stopped"));
}

TEST_F(Detect, ThreadsChangeNothing) {
  ASSERT_EQ(ghosttrain({"train", config_, "run_name=straight", "train.epochs=3"}).exit_code, 0);
  const ProgramResult other =
      ghosttrain({"train", config_, "run_name=other", "train.epochs=3", "train.threads=3", "data.workers=0"});
  ASSERT_EQ(other.exit_code, 0) << other.output;
  expect_same_run(run("straight"), run("other"));
}

// The figures of the best epoch in metrics.csv.
std::string best_map(const std::string& run_folder) {
  std::ifstream file(run_folder + "/log.txt");
  std::string best;
  for (std::string line; std::getline(file, line);)
    if (line.ends_with("best")) best = line.substr(line.find("mAP50 ") + 6, 6);
  return best;
}

TEST_F(Detect, ValidationAfterwardsGivesTheSameFigures) {
  ProgramResult result =
      ghosttrain({"train", config_, "run_name=run", "train.epochs=30", "train.freeze_epochs=0", "augment.mosaic=0"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  for (const char* file : {"metrics.csv", "plots/train_batch_0.jpg", "plots/curves.svg", "classes.txt"})
    EXPECT_TRUE(fs::exists(run("run") + "/" + file)) << file;
  result = ghosttrain({"val", run("run"), "--json", root_ + "/val.json", "--plots", root_ + "/plots"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_THAT(result.output, HasSubstr("mAP50"));
  for (const char* plot : {"pr.svg", "confusion.svg"})
    EXPECT_EQ(test::bytes_of(root_ + "/plots/" + plot), test::bytes_of(run("run") + "/plots/" + plot)) << plot;
  const std::string json = test::bytes_of(root_ + "/val.json");
  const double map = std::stod(json.substr(json.find("\"map50\": ") + 9));
  EXPECT_NEAR(map, std::stod(best_map(run("run"))), 5e-5);
  EXPECT_EQ(ghosttrain({"val", run("run"), "--batch-size", "1", "--json", root_ + "/one.json"}).exit_code, 0);
  const std::string one = test::bytes_of(root_ + "/one.json");
  EXPECT_NEAR(std::stod(one.substr(one.find("\"map50\": ") + 9)), map, 1e-9);

  result = ghosttrain({"predict", run("run"), root_ + "/data/JPEGImages", "--out", root_ + "/out", "--crop",
                       "--heat-map", "--format", "json,csv,voc,yolo"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_THAT(result.output, HasSubstr("16 pictures"));
  EXPECT_TRUE(fs::exists(root_ + "/out/picture 0.jpg"));

  // Drawn pictures have the names of the user's own, which stay as they are.
  const std::string own = root_ + "/out/picture 0.jpg", bytes = test::bytes_of(own);
  result = ghosttrain({"predict", run("run"), own, "--out", root_ + "/out"});
  EXPECT_EQ(result.exit_code, 2) << result.output;
  EXPECT_TRUE(test::bytes_of(own) == bytes);

  result = ghosttrain({"export", run("run"), "--to", root_ + "/detector.safetensors"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(ghosttrain({"val", root_ + "/detector.safetensors", "data.format=voc",
                        "data.val=" + root_ + "/data/ImageSets/Main/val.txt"})
                .exit_code,
            0);
}

TEST_F(Detect, ConvertNamesTheFirstOddBoxesAndCountsTheRest) {
  std::string boxes;
  for (int i = 0; i < 14; ++i)
    boxes +=
        "<object><name>red</name><bndbox><xmin>30</xmin><ymin>5</ymin><xmax>20</xmax><ymax>9</ymax></bndbox></"
        "object>\n";
  std::ofstream(root_ + "/data/Annotations/picture 0.xml", std::ios::trunc)
      << "<annotation><size><width>80</width><height>64</height></size>\n"
      << boxes << "</annotation>\n";
  const ProgramResult result = ghosttrain({"data", "convert", "--from", "voc", "--to", "coco", root_ + "/coco",
                                           "train=" + root_ + "/data/ImageSets/Main/train.txt"});
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_THAT(result.output, AllOf(HasSubstr("12 pictures"), HasSubstr("train.txt: 14"), HasSubstr("... and 4 more")));
  size_t named = 0;
  for (size_t at = 0; (at = result.output.find("picture 0.xml", at)) != std::string::npos; ++at) ++named;
  EXPECT_EQ(named, 10u) << result.output;
}

TEST_F(Detect, WhatCannotBeTrainedIsRefused) {
  EXPECT_THAT(ghosttrain({"train", config_, "model.name=ghostnet"}).output, HasSubstr("ghostnet-yolov4"));
  EXPECT_EQ(ghosttrain({"train", config_, "input.size=65"}).exit_code, 2);
  EXPECT_EQ(ghosttrain({"train", config_, "train.batch_size=99"}).exit_code, 3);
  // Objects so small that none is left: nothing matches, which is said after the first epoch.
  const ProgramResult nothing = ghosttrain({"train", config_, "augment.min_box=900", "run_name=nothing"});
  EXPECT_EQ(nothing.exit_code, 3);
  EXPECT_THAT(nothing.output, HasSubstr("not one anchor was matched"));
}

}  // namespace
}  // namespace ghost
