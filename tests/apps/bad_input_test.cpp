// What goes wrong for a user: the exit code of the table, a message with file and number, and nothing old damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/safetensors.h"
#include "tests/apps/program.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class BadInput : public testing::Test {
 protected:
  void SetUp() override {
    root_ = test_folder();
    make_picture_folders(root_, 2, 4);
    config_ = write_tiny_config(root_);
  }
  ProgramResult train(std::vector<std::string> overrides, const std::string& name = "run", int epochs = 1) {
    const std::string length = "train.epochs=" + std::to_string(epochs);
    overrides.insert(overrides.begin(), {"train", config_, "run_name=" + name, length, "schedule.warmup_epochs=0"});
    return run_program(overrides, root_);
  }
  void expect_refused(const ProgramResult& result, int code, const std::string& text) {
    EXPECT_EQ(result.exit_code, code) << result.output;
    EXPECT_THAT(result.output, HasSubstr(text));
    EXPECT_FALSE(fs::exists(root_ + "/runs/run/checkpoints/last.safetensors"));
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::string run(const std::string& name) const { return root_ + "/runs/" + name; }
  std::string root_, config_;
};

TEST_F(BadInput, DataFolders) {
  expect_refused(train({"data.train=" + root_ + "/nowhere"}), 3, "/nowhere");
  fs::create_directories(root_ + "/empty");
  expect_refused(train({"data.train=" + root_ + "/empty"}), 3, "/empty");
  fs::create_directories(root_ + "/one");
  fs::copy(root_ + "/train/class_a", root_ + "/one/class_a");
  expect_refused(train({"data.train=" + root_ + "/one"}), 3, "/one");
  fs::create_directories(root_ + "/val/class_z");
  fs::copy(root_ + "/val/class_a/0.png", root_ + "/val/class_z/0.png");
  expect_refused(train({}), 3, "class_z");
}

TEST_F(BadInput, FewerPicturesThanABatch) { expect_refused(train({"train.batch_size=100"}), 3, "100"); }

TEST_F(BadInput, Pictures) {
  const std::string picture = root_ + "/train/class_a/1.png";
  const std::string whole = test::bytes_of(picture);
  std::string huge_header = whole;  // IHDR's width and height become 65500
  for (const size_t place : {16u, 20u}) huge_header.replace(place, 4, std::string("\0\0\xff\xdc", 4));
  for (const std::string& damaged :
       {whole.substr(0, whole.size() / 2), std::string(), std::string("not a picture"), huge_header}) {
    std::ofstream(picture, std::ios::binary) << damaged;
    expect_refused(train({"data.on_corrupt=error"}), 3, "class_a/1.png");
    fs::remove_all(run("run"));
    const ProgramResult skipped = train({}, "skipping");
    EXPECT_EQ(skipped.exit_code, 0) << skipped.output;
    EXPECT_THAT(skipped.output, HasSubstr("class_a/1.png"));
    fs::remove_all(run("skipping"));
    const ProgramResult checked = run_program({"check", root_ + "/train"}, root_);
    EXPECT_EQ(checked.exit_code, 3);
    EXPECT_THAT(checked.output, HasSubstr("class_a/1.png"));
    EXPECT_EQ(test::bytes_of(picture), damaged);
  }
}

TEST_F(BadInput, Config) {
  std::ofstream(config_, std::ios::app)
      << "optimizer: {lerning_rate: 0.1}\nloss: {label_smoothing: much}\nema: {decay: 7}\n";
  const ProgramResult result = train({});
  expect_refused(result, 2, "unknown key 'lerning_rate' in 'optimizer'; did you mean 'learning_rate'?");
  EXPECT_THAT(result.output, AllOf(HasSubstr("tiny.yaml:7:13"), HasSubstr("label_smoothing"), HasSubstr("ema.decay")));
  EXPECT_EQ(run_program({"train", root_ + "/absent.yaml"}, root_).exit_code, 2);
  EXPECT_EQ(run_program({"train"}, root_).exit_code, 2);
  EXPECT_EQ(run_program({"traim"}, root_).exit_code, 2);
}

TEST_F(BadInput, AModelsNameMistypedForBench) {
  for (const auto& [typed, meant] :
       {std::pair("ghostnt", "ghostnet"), std::pair("ghostnt-yolov4", "ghostnet-yolov4")}) {
    const ProgramResult result = run_program({"bench", typed}, root_);
    EXPECT_EQ(result.exit_code, 2) << result.output;
    EXPECT_THAT(result.output, AllOf(HasSubstr(std::string("did you mean '") + meant + "'?"), HasSubstr("mobilenetv2"),
                                     HasSubstr("mobilenetv3-yolov4")));
  }
}

TEST_F(BadInput, DeviceThatIsNotThere) {
  const ProgramResult result = train({"device=cuda:99"});
  expect_refused(result, 5, "cuda:99 was asked for");
}

TEST_F(BadInput, WeightsOfAnotherClassCount) {
  ASSERT_EQ(train({}, "two").exit_code, 0);
  make_picture_folders(root_ + "/three", 3, 4);
  const std::vector<std::string> three{"data.train=" + root_ + "/three/train", "data.val=" + root_ + "/three/val",
                                       "model.weights=" + run("two") + "/checkpoints/best.safetensors"};
  expect_refused(train(three), 4, "model.replace_head=true");
  std::vector<std::string> replaced = three;
  replaced.push_back("model.replace_head=true");
  const ProgramResult result = train(replaced, "replaced");
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_THAT(result.output, HasSubstr("2 skipped (classifier.weight, classifier.bias)"));
}

TEST_F(BadInput, DivergedTrainingStopsAndSavesNothingNonFinite) {
  make_picture_folders(root_, 2, 24);  // an epoch of 12 steps, so that the loss or a gradient is seen first
  const ProgramResult result = train({"optimizer.learning_rate=100000"}, "diverged", 30);
  EXPECT_EQ(result.exit_code, 6) << result.output;
  EXPECT_THAT(result.output, AllOf(HasSubstr(" at step "), HasSubstr("finite"), HasSubstr(".png")));
  const std::string last = run("diverged") + "/checkpoints/last.safetensors";
  if (!fs::exists(last)) return;
  const SafetensorsReader file(last);
  for (const std::string& name : file.names())
    for (const double value : file.read(name).to_vector()) ASSERT_TRUE(std::isfinite(value)) << name;
}

TEST_F(BadInput, FullDiskKeepsTheOldCheckpoint) {
  ASSERT_EQ(train({}, "full", 2).exit_code, 0);
  // The run as it was after its first epoch, resumed where no file may grow beyond 64 KiB.
  const std::string last = run("full") + "/checkpoints/last.safetensors";
  fs::copy_file(run("full") + "/checkpoints/epoch-0001.safetensors", last, fs::copy_options::overwrite_existing);
  const std::string before = test::bytes_of(last);
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{64 << 10, limit.rlim_max};
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const pid_t process = start_program({"train", "--resume", run("full")}, root_);
  const int code = wait_for(process);
  setrlimit(RLIMIT_FSIZE, &limit);
  signal(SIGXFSZ, old_handler);
  EXPECT_EQ(code, 7) << test::bytes_of(root_ + "/output.txt");
  EXPECT_THAT(test::bytes_of(root_ + "/output.txt"), HasSubstr(".safetensors"));
  EXPECT_EQ(test::bytes_of(last), before);
  EXPECT_EQ(run_program({"train", "--resume", run("full")}, root_).exit_code, 0);
}

TEST_F(BadInput, SecondProcessOnARunIsRefused) {
  const pid_t first = start_program({"train", config_, "run_name=busy", "train.epochs=5000"}, root_);
  for (int i = 0; i < 600 && !fs::exists(run("busy") + "/checkpoints/last.safetensors"); ++i) usleep(20'000);
  fs::create_directories(root_ + "/second");
  const ProgramResult second = run_program({"train", "--resume", run("busy")}, root_ + "/second");
  kill(first, SIGKILL);
  wait_for(first);
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_THAT(second.output, HasSubstr(std::to_string(first)));
}

TEST_F(BadInput, NothingThereToResumeOrLoad) {
  EXPECT_EQ(run_program({"train", "--resume", root_}, root_).exit_code, 4);
  EXPECT_EQ(run_program({"val", root_ + "/absent.safetensors"}, root_).exit_code, 4);
  EXPECT_EQ(run_program({"predict", root_ + "/train/class_a/0.png", root_ + "/train"}, root_).exit_code, 4);
}

}  // namespace
}  // namespace ghost
