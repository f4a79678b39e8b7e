// The trainer itself on stand-ins: with graphs and without, stopped and resumed, it writes the same bytes.
#include "train/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/allocator.h"
#include "core/error.h"
#include "core/random.h"
#include "data/draw.h"
#include "data/image_write.h"
#include "tests/simt/scheduler.h"
#include "tests/standin/mistakes.h"
#include "tests/standin/standin.h"
#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"
#include "train/interrupt.h"
#include "train/resume.h"

namespace ghost::standin {
namespace {

Image noise(int width, int height, uint64_t seed) {
  Rng rng(3, seed);
  Image image(width, height);
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(rng.below(200));
  return image;
}

class StandinTrainer : public testing::Test {
 protected:
  void TearDown() override {
    simt::set_order(simt::Order::kUp);
    set({});
    EXPECT_EQ(memory_stats(Device::cuda()).in_use, 0);
    EXPECT_EQ(live_graphs(), 0);
    EXPECT_EQ(pinned_blocks(), 0);
    expect_no_mistakes();
  }

  std::string classifier_config(int pictures_per_class) {
    for (const std::string split : {"train", "val"})
      for (const std::string name : {"a", "b"})
        for (int i = 0; i < (split == "val" ? 1 : pictures_per_class); ++i) {
          const std::string folder = folder_.path(split + "/" + name);
          std::filesystem::create_directories(folder);
          write_image(folder + "/" + std::to_string(i) + ".png",
                      noise(32, 32, static_cast<uint64_t>(name[0] * 100 + i)));
        }
    return "model: {width: 0.1}\ndata: {train: " + folder_.path("train") + ", val: " + folder_.path("val") +
           ", workers: 1}\ninput: {size: 32}\noptimizer: {name: adamw, learning_rate: 0.01}\n"
           "schedule: {warmup_epochs: 0.5}\nema: {decay: 0.9}\n";
  }

  std::string detector_config() {
    std::string train, val;
    for (int i = 0; i < 9; ++i) {
      const std::string name = folder_.path("images/" + std::to_string(i) + ".png");
      std::filesystem::create_directories(folder_.path("images"));
      Image image = noise(64, 64, static_cast<uint64_t>(i));
      fill_rect(image, 10 + i, 20, 34 + i, 44, Color{220, 30, 30});
      write_image(name, image);
      folder_.write_text("labels/" + std::to_string(i) + ".txt", str("0 ", (22.0 + i) / 64, " 0.5 0.375 0.375\n"));
      (i == 8 ? val : train) += name + "\n";
    }
    return "task: detect\nmodel: {name: mobilenetv1-yolov4, width: 0.1, "
           "anchors: [6, 6, 8, 10, 10, 8, 14, 20, 16, 16, 20, 14, 24, 30, 30, 30, 50, 50]}\ndata: {format: yolo, "
           "train: " +
           folder_.write_text("train.txt", train) + ", val: " + folder_.write_text("val.txt", val) +
           ", classes: " + folder_.write_text("classes.txt", "red\n") +
           ", workers: 1}\ninput: {size: 64}\naugment: {sizes: [64, 96]}\n"
           "optimizer: {learning_rate: 0.001}\nschedule: {warmup_epochs: 0.5}\n";
  }

  // Trains in a folder of that name; gives what train() gives.
  int train(const std::string& config, const std::string& name, std::vector<std::string> overrides) {
    for (const char* const text : {"device=cuda", "checkpoint.keep=0"}) overrides.emplace_back(text);
    overrides.push_back("output=" + folder_.path("runs"));
    overrides.push_back("run_name=" + name);
    ghost::Run run(parse_config({.text = config, .source = "test", .folder = folder_.path()}, overrides).config, false);
    return Trainer(run, RunFolder::create(run.config), quiet_).train();
  }
  int resume(const std::string& name) {
    const RunFolder folder = RunFolder::open(folder_.path("runs/" + name));
    ghost::Run run(resumed_config(folder.path(), {}).config, true);
    Trainer trainer(run, folder, quiet_);
    trainer.resume();
    return trainer.train();
  }

  // Weights, averages and moments to the bit, and the rows of metrics.csv but for times.
  void expect_same(const std::string& a, const std::string& b) {
    const SafetensorsReader first(checkpoint(a)), second(checkpoint(b));
    ASSERT_EQ(first.names(), second.names());
    for (const std::string& name : first.names()) {
      const Tensor x = first.read(name), y = second.read(name);
      ASSERT_EQ(std::memcmp(x.raw_data(), y.raw_data(), static_cast<size_t>(x.numel() * size_of(x.dtype()))), 0)
          << name;
    }
    EXPECT_EQ(rows_of(a), rows_of(b));
  }
  std::string rows_of(const std::string& name) const {
    std::ifstream lines(folder_.path("runs/" + name + "/metrics.csv"));
    std::string text;
    for (std::string line; std::getline(lines, line); text += '\n') {
      std::istringstream fields(line);
      std::string field;
      for (int column = 0; std::getline(fields, field, ','); ++column)
        if (column != 2 && column != 3) text += field + ',';
    }
    EXPECT_GT(std::ranges::count(text, '\n'), 1);
    return text;
  }
  std::string checkpoint(const std::string& name) const {
    return folder_.path("runs/" + name + "/checkpoints/last.safetensors");
  }

  test::TempFolder folder_;
  Log quiet_{nullptr, false};
};

// What the host does between two launches of the graph of one epoch.
void expect_one_launch_a_step(const std::vector<Counts>& at, size_t first, size_t last) {
  for (size_t i = first; i < last; ++i) {
    const Counts step = at[i + 1] - at[i];
    EXPECT_EQ(step.launches(), 1) << i;
    EXPECT_EQ(step.graph_launches, 1) << i;
    EXPECT_EQ(step.waits, 0) << i;
    EXPECT_LE(step.event_waits, 1) << i;
    EXPECT_EQ(step.uploads, 1) << i;
    EXPECT_EQ(step.pageable_copies, 0) << i;
    EXPECT_LE(step.device_copies, 4) << i;
    EXPECT_EQ(step.downloads, 0) << i;
    EXPECT_EQ(step.allocations, 0) << i;
  }
}

// Mixed labels in the first epoch, not in the second: two shapes. Twelve steps, learning rate, decay of the average and
// dropout new in each.
TEST_F(StandinTrainer, AClassifiersBytesAreTheSameWithGraphs) {
  const std::string config = classifier_config(6) + "augment: {mixup: 0.4}\n";
  const std::vector<std::string> plan{"train.epochs=2", "train.batch_size=2", "schedule.no_aug_epochs=1"};
  const auto with = [&](const std::string& more) {
    std::vector<std::string> overrides = plan;
    overrides.push_back(more);
    return overrides;
  };
  const Counts before = counts();
  ASSERT_EQ(train(config, "eager", with("train.cuda_graph=false")), 0);
  EXPECT_EQ((counts() - before).graph_launches, 0);
  const size_t first = counts_at_graph_launches().size();
  ASSERT_EQ(train(config, "graphs", with("train.cuda_graph=auto")), 0);
  const std::vector<Counts> at = counts_at_graph_launches();
  ASSERT_EQ(at.size(), first + 10);
  expect_one_launch_a_step(at, first, first + 4);
  expect_one_launch_a_step(at, first + 5, first + 9);
  std::printf("a replayed step of a classifier: 1 launch of %ld nodes\n",
              at[first + 1].graph_nodes - at[first].graph_nodes);
  expect_same("eager", "graphs");
}

TEST_F(StandinTrainer, AStoppedClassifierGoesOnWithTheSameBytes) {
  const std::string config = classifier_config(22);
  const std::vector<std::string> plan{"train.epochs=1", "train.batch_size=2"};
  ASSERT_EQ(train(config, "straight", plan), 0);
  set({.eager = 0.3, .seed = 5});
  simt::set_order(simt::Order::kRandom, 7);
  {
    const InterruptGuard guard;
    std::raise(SIGTERM);
    ASSERT_EQ(train(config, "stopped", plan), 128 + SIGTERM);  // after 20 of 22 steps
  }
  ASSERT_EQ(resume("stopped"), 0);
  expect_same("straight", "stopped");
}

TEST_F(StandinTrainer, AccumulatedStepsAreOneGraph) {
  const std::string config = classifier_config(6);
  const std::vector<std::string> plan{"train.epochs=2", "train.batch_size=2", "train.accumulate=2",
                                      "train.max_grad_norm=1"};
  const size_t first = counts_at_graph_launches().size();
  ASSERT_EQ(train(config, "graphs", plan), 0);
  EXPECT_EQ(counts_at_graph_launches().size(), first + 5);
  std::vector<std::string> eager = plan;
  eager.emplace_back("train.cuda_graph=false");
  ASSERT_EQ(train(config, "eager", eager), 0);
  expect_same("eager", "graphs");
}

// The loss scale changes in the graph, and a skipped step is one there too.
TEST_F(StandinTrainer, HalfPrecisionsBytesAreTheSameWithGraphs) {
  const std::string config = classifier_config(6);
  for (const std::string precision : {"bf16", "fp16"}) {
    const std::vector<std::string> plan{"train.epochs=2", "train.batch_size=2", "train.precision=" + precision};
    const size_t first = counts_at_graph_launches().size();
    ASSERT_EQ(train(config, "graphs_" + precision, plan), 0);
    EXPECT_EQ(counts_at_graph_launches().size(), first + 11);
    std::vector<std::string> eager = plan;
    eager.emplace_back("train.cuda_graph=false");
    ASSERT_EQ(train(config, "eager_" + precision, eager), 0);
    expect_same("eager_" + precision, "graphs_" + precision);
  }
}

// Two sizes of pictures in turn, the backbone frozen at first.
TEST_F(StandinTrainer, ADetectorsBytesAreTheSameWithGraphs) {
  const std::string config = detector_config();
  const std::vector<std::string> plan{"train.epochs=3", "train.batch_size=2", "train.freeze_epochs=1",
                                      "train.freeze_batch_size=2"};
  const size_t first = counts_at_graph_launches().size();
  ASSERT_EQ(train(config, "graphs", plan), 0);
  const std::vector<Counts> at = counts_at_graph_launches();
  EXPECT_GE(at.size(), first + 5);
  int replays = 0;
  for (size_t i = first; i + 1 < at.size(); ++i) {
    const Counts step = at[i + 1] - at[i];
    if (step.launches() != 1) continue;  // an eager step, or an evaluation, lies between
    expect_one_launch_a_step(at, i, i + 1);
    ++replays;
  }
  EXPECT_GE(replays, 2);
  std::vector<std::string> eager = plan;
  eager.emplace_back("train.cuda_graph=false");
  ASSERT_EQ(train(config, "eager", eager), 0);
  expect_same("eager", "graphs");
  set({.eager = 0.3, .seed = 11});
  {
    const InterruptGuard guard;
    std::raise(SIGTERM);
    ASSERT_EQ(train(config, "stopped", plan), 128 + SIGTERM);  // after the frozen epoch
  }
  ASSERT_EQ(resume("stopped"), 0);
  expect_same("eager", "stopped");
}

TEST_F(StandinTrainer, ALossThatIsNotFiniteArrivesFromAGraph) {
  const std::string config = classifier_config(6);
  test::expect_error(ErrorKind::kNonFinite, "in one of the steps 1 to 6", [&] {
    train(config, "lost", {"train.epochs=1", "train.batch_size=2", "optimizer.learning_rate=1e30"});
  });
}

TEST_F(StandinTrainer, AnEpochWithoutAMatchIsReported) {
  const std::string config = detector_config();
  test::expect_error(ErrorKind::kData, "not one anchor was matched with a box", [&] {
    train(config, "nothing", {"train.epochs=1", "train.batch_size=2", "augment.min_box=1000"});
  });
}

}  // namespace
}  // namespace ghost::standin
