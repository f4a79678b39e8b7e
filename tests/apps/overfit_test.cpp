// A detector that cannot learn eight pictures by heart has a fault somewhere between its labels and its boxes.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/apps/box_pictures.h"
#include "tests/apps/program.h"

namespace ghost {
namespace {

class Overfit : public testing::TestWithParam<const char*> {};

TEST_P(Overfit, EightPictures) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "takes minutes under a sanitizer, and the other tests run the same code";
#endif
  const std::string root = test_folder(), list = root + "/data/ImageSets/Main/train.txt";
  make_box_pictures(root + "/data", 10);  // eight of them to train
  const std::string config = root + "/overfit.yaml";
  std::ofstream(config)
      << "task: detect\n"
         "model: {anchors: [14, 28, 14, 28, 14, 28, 24, 16, 24, 16, 24, 16, 28, 28, 28, 28, 28, 28]}\n"
         "data: {format: voc, workers: 0, train: "
      << list << ", val: " << list
      << "}\n"
         "input: {size: 96}\n"
         "train: {epochs: 60, batch_size: 2}\n"
         "optimizer: {learning_rate: 0.002}\n"
         "loss: {object_weight: 20}\n"
         "augment: {flip: 0, jitter: 0, scale: [1, 1], hsv: [0, 0, 0], mosaic: 0}\n"
         "ema: {decay: 0.9}\n"
         "output: "
      << root << "/runs\n";
  const ProgramResult result =
      run_program({"train", config, "run_name=overfit", std::string("model.name=") + GetParam()}, root);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  const ProgramResult val = run_program({"val", root + "/runs/overfit", "--json", root + "/val.json"}, root);
  ASSERT_EQ(val.exit_code, 0) << val.output;
  const nlohmann::json found = nlohmann::json::parse(test::bytes_of(root + "/val.json"));
  EXPECT_GE(found.at("map50").get<double>(), 0.95) << result.output;
  std::filesystem::remove_all(root);
}

INSTANTIATE_TEST_SUITE_P(, Overfit, testing::Values("ghostnet-yolov4", "mobilenetv2-yolov4"));

}  // namespace
}  // namespace ghost
