#include "train/detection_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/support/temp_folder.h"
#include "train/csv_field.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> kNames{"cat", "dog, \"big\" & <wild>"};

DetectedPicture picture(const std::string& path, std::vector<ScoredBox> boxes) {
  return {.path = path, .id = 7, .width = 200, .height = 100, .boxes = std::move(boxes), .error = ""};
}

TEST(DetectionFiles, CocoResultsKeepEveryDigit) {
  const double third = 1.0 / 3, score = static_cast<double>(0.9f);
  const std::string text = coco_results_json({picture("a.jpg", {{{third, 2, 10 + third, 7.25}, 1, score}}),
                                              picture("none.jpg", {}), picture("b.jpg", {{{-1, 0, 5, 5}, 0, 1}})},
                                             {.category_ids = {3, 90}, .classes = {}});
  const json read = json::parse(text);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0]["image_id"], 7);
  EXPECT_EQ(read[0]["category_id"], 90);
  EXPECT_EQ(read[0]["bbox"][0].get<double>(), third);
  EXPECT_EQ(read[0]["bbox"][2].get<double>(), 10 + third - third);
  EXPECT_EQ(read[0]["score"].get<double>(), score);
  EXPECT_EQ(read[1]["bbox"], (json{-1, 0, 6, 5}));
  EXPECT_EQ(read[1]["category_id"], 3);
  EXPECT_EQ(read[1].size(), 4u) << "only what COCO asks for";
  EXPECT_EQ(json::parse(coco_results_json({})), json::array());
  EXPECT_EQ(json::parse(coco_results_json({picture("a", {{{0, 0, 1, 1}, 1, 1}})}))[0]["category_id"], 2);
}

TEST(DetectionFiles, CocoResultsWithNames) {
  const json read = json::parse(coco_results_json({picture("x \"y\"\n\xff.jpg", {{{0, 0, 1, 1}, 1, 0.5}})},
                                                  {.category_ids = {}, .classes = kNames}));
  EXPECT_EQ(read[0]["category_name"], kNames[1]);
  EXPECT_THAT(read[0]["file_name"].get<std::string>(), HasSubstr("x \"y\"\n"));
}

TEST(DetectionFiles, Csv) {
  DetectedPicture bad = picture("bad,file.jpg", {});
  bad.error = "it is \"broken\"";
  EXPECT_EQ(detections_csv({picture("a.jpg", {{{0.126, -0.001, 20, 30.999}, 0, 0.12345678}, {{1, 2, 3, 4}, 1, 1}}),
                            picture("none.jpg", {}), bad},
                           kNames),
            "file,class,score,left,top,right,bottom,error\n"
            "a.jpg,cat,0.123457,0.13,0,20,31,\n"
            "a.jpg,\"dog, \"\"big\"\" & <wild>\",1,1,2,3,4,\n"
            "\"bad,file.jpg\",,,,,,,\"it is \"\"broken\"\"\"\n");
  EXPECT_EQ(csv_field("plain text"), "plain text");
  EXPECT_EQ(csv_field("two\nlines"), "\"two\nlines\"");
}

TEST(DetectionFiles, YoloInSharesCutAtTheBorder) {
  const DetectedPicture made =
      picture("a.jpg", {{{50, 25, 150, 75}, 0, 0.5}, {{-100, -50, 100, 50}, 1, 0.25}, {{200, 0, 300, 50}, 0, 0.2}});
  EXPECT_EQ(yolo_text(made), "0 0.5 0.5 0.5 0.5 0.5\n1 0.25 0.25 0.5 0.5 0.25\n");
  EXPECT_EQ(yolo_text(made, false), "0 0.5 0.5 0.5 0.5\n1 0.25 0.25 0.5 0.5\n");
  EXPECT_EQ(yolo_text(picture("a.jpg", {})), "");
}

TEST(DetectionFiles, VocXml) {
  const std::string text = voc_xml(picture("set/a&b.jpg", {{{10.004, 20.5, 250, 30}, 1, 0.75}}), kNames);
  for (const char* part :
       {"<folder>set</folder>", "<filename>a&amp;b.jpg</filename>", "<width>200</width>", "<height>100</height>",
        "<name>dog, &quot;big&quot; &amp; &lt;wild&gt;</name>", "<xmin>10</xmin>", "<ymin>20.5</ymin>",
        "<xmax>200</xmax>", "<ymax>30</ymax>", "<score>0.75</score>", "<difficult>0</difficult>"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(voc_xml(picture("a.jpg", {}), kNames), Not(HasSubstr("<object>")));
}

TEST(DetectionFiles, RefusesWhatIsNotFinite) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  for (const ScoredBox& found : {ScoredBox{{0, 0, nan, 1}, 0, 1}, {{0, 0, inf, 1}, 0, 1}, {{0, 0, 1, 1}, 0, nan}}) {
    EXPECT_THROW(coco_results_json({picture("a.jpg", {found})}), Error);
    EXPECT_THROW(detections_csv({picture("a.jpg", {found})}, kNames), Error);
    EXPECT_THROW(yolo_text(picture("a.jpg", {found})), Error);
    EXPECT_THROW(voc_xml(picture("a.jpg", {found}), kNames), Error);
  }
}

TEST(DetectionFiles, FormsByName) {
  EXPECT_EQ(detection_output_from_name("voc"), DetectionOutput::kVoc);
  try {
    detection_output_from_name("xml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("json (COCO results), csv, yolo or voc"));
  }
}

TEST(DetectionFiles, OneForEachPicture) {
  const test::TempFolder temp;
  DetectedPicture bad = picture("c.jpg", {});
  bad.error = "cannot be read";
  const std::vector<DetectedPicture> pictures{picture("x/a.jpg", {{{0, 0, 100, 100}, 1, 0.5}}), picture("y/a.png", {}),
                                              picture("a-2.jpg", {}), bad};
  const std::string folder = temp.path("deep");
  const auto written = write_detections(folder, DetectionOutput::kYolo, pictures, kNames);
  std::vector<std::string> names;
  for (const std::string& path : written) names.push_back(fs::path(path).filename().string());
  EXPECT_THAT(names, ElementsAre("a.txt", "a-2.txt", "a-2-2.txt", "classes.txt"));
  EXPECT_EQ(test::bytes_of(written[0]), "1 0.25 0.5 0.5 1 0.5\n");
  EXPECT_EQ(test::bytes_of(written[1]), "");
  EXPECT_EQ(test::bytes_of(written[3]), kNames[0] + "\n" + kNames[1] + "\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 4) << "something is left over";
  EXPECT_EQ(write_detections(folder, DetectionOutput::kVoc, pictures, kNames).size(), 3u);
}

TEST(DetectionFiles, OneForAll) {
  const test::TempFolder temp;
  const std::vector<DetectedPicture> pictures{picture("a.jpg", {{{0, 0, 100, 100}, 1, 0.5}})};
  EXPECT_EQ(test::bytes_of(write_detections(temp.path("new"), DetectionOutput::kJson, pictures, kNames)[0]),
            coco_results_json(pictures));
  EXPECT_EQ(test::bytes_of(write_detections(temp.path("new"), DetectionOutput::kCsv, pictures, kNames)[0]),
            detections_csv(pictures, kNames));
  EXPECT_THROW(write_detections(temp.write_text("file", "x"), DetectionOutput::kCsv, pictures, kNames), Error);
}

}  // namespace
}  // namespace ghost
