// YOLO's bad lines, class tables, and labels that are odd but no error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/exif.h"
#include "detection_files.h"
#include "exif_bytes.h"

namespace ghost {
namespace {

using Kind = DetectionProblem::Kind;
using testing::ElementsAre;
using testing::HasSubstr;

std::string message_of(const DetectionSetOptions& options) {
  return error_message(ErrorKind::kData, [&] { open_detection_set(options); });
}

TEST(DetectionOddLabels, YoloLines) {
  const TempFolder temp;
  temp.write_picture("images/a.jpg", smooth_picture(60, 40));
  temp.write_picture("images/b.jpg", smooth_picture(60, 40));
  temp.write_text("classes.txt", "one\ntwo\n");
  temp.write_text("labels/a.txt", "0 .5 .5 .5 .5");
  DetectionSetOptions options = detection_options(DetectionFormat::kYolo, temp.path("images"));
  const std::tuple<std::string, std::string, Kind> cases[]{
      {"0 0.5 0.5 0.1", "4 values", Kind::kMalformed},
      {"0 0.5 0.5 0.1 0.1 0.9", "6 values", Kind::kMalformed},
      {"0 0.5 nan 0.1 0.1", "'nan' is no number", Kind::kMalformed},
      {"0 0.5 0.5 inf 0.1", "'inf' is no number", Kind::kMalformed},
      {"0 0,5 0,5 0,1 0,1", "is no number", Kind::kMalformed},
      {"0 30 20 10 10", "no fraction", Kind::kMalformed},
      {"0.5 0.5 0.5 0.1 0.1", "no whole number", Kind::kMalformed},
      {"# comment", "2 values", Kind::kMalformed},
      {"dog 0.5 0.5 0.1 0.1", "'dog' is no number", Kind::kMalformed},
      {std::string("0 .5 .5 .1 .1\0007", 15), "is no number", Kind::kMalformed},
      {"2 0.5 0.5 0.1 0.1", "class 2 is out of range", Kind::kUnknownClass},
      {"1e300 0.5 0.5 0.1 0.1", "out of range", Kind::kUnknownClass},
      {"-1 0.5 0.5 0.1 0.1", "out of range; there are 2 classes, 0 to 1", Kind::kUnknownClass}};
  for (const auto& [line, reason, kind] : cases) {
    SCOPED_TRACE(line);
    temp.write_text("labels/b.txt", "1 .5 .5 .5 .5\r\n\r\n" + line + "\r\n");
    options.skip_bad = true;
    const DetectionSet set = open_detection_set(options);
    EXPECT_EQ(set.samples.size(), 1u);
    ASSERT_EQ(set.problems.size(), 1u);
    EXPECT_EQ(set.problems[0].kind, kind);
    EXPECT_THAT(set.problems[0].place, HasSubstr("b.txt:3"));
    EXPECT_THAT(set.problems[0].reason, HasSubstr(reason));
    options.skip_bad = false;
    EXPECT_THAT(message_of(options), HasSubstr("b.txt:3: "));
  }
  options.skip_bad = true;
  temp.write_text("labels/b.txt", "");
  temp.write_text("labels/lost.txt", "0 .5 .5 .5 .5");
  const DetectionSet set = open_detection_set(options);
  EXPECT_EQ(set.samples.size(), 2u);
  ASSERT_EQ(set.problems.size(), 1u);
  EXPECT_EQ(set.problems[0].kind, Kind::kMissingPicture);
  EXPECT_THAT(set.problems[0].place, HasSubstr("lost.txt"));
  options.source = temp.write_text("list.txt", "images/a.jpg\nimages/\xC3\xA4.jpg\n" + std::string(5000, 'x') + "\n\n");
  EXPECT_EQ(open_detection_set(options).problems.size(), 2u);
  EXPECT_THAT(open_detection_set(options).problems[0].place, HasSubstr("list.txt:2"));
  temp.write_text("labels/a.txt", "");
  options.source = temp.path("images");
  EXPECT_THAT(message_of(options), HasSubstr("no box at all in the 2 pictures"));
}

TEST(DetectionOddLabels, DataYaml) {
  const TempFolder temp;
  temp.write_picture("train/images/a.jpg", smooth_picture(60, 40));
  temp.write_text("train/labels/a.txt", "0 .5 .5 .5 .5");
  const auto source = [&](const std::string& text) {
    return detection_options(DetectionFormat::kYolo, temp.write_text("data.yaml", text) + "#train");
  };
  // As Roboflow writes it.
  EXPECT_EQ(open_detection_set(source("train: ../train/images\nval: x\nnc: 1\nnames: ['a b']\n")).classes.at(0), "a b");
  EXPECT_EQ(open_detection_set(source("train: [train/images]\nnames: [x]\n")).samples.size(), 1u);
  const std::pair<std::string, std::string> cases[]{
      {"train: train/images\nnames: [x\n", "data.yaml:"},
      {"- 1\n", "no data.yaml"},
      {"names: [x]\n", "no split 'train'"},
      {"train: nowhere\nnames: [x]\n", "there is no YOLO data set"},
      {"train: train/images\nnames: {0: x, 2: y}\n", "data.yaml:2: 'names' must number"},
      {"train: train/images\nnc: 2\nnames: [x]\n", "'nc' is 2"},
      {"train: {a: 1}\nnames: [x]\n", "data.yaml:"},
      {"train: train\nnames: 3\n", "'names' must list"},
      {"train: train/images\nnames: [x, x]\n", "twice"},
      {std::string(100000, '['), "data.yaml:"}};
  for (const auto& [text, reason] : cases) {
    SCOPED_TRACE(text.substr(0, 100));
    EXPECT_THAT(message_of(source(text)), HasSubstr(reason));
  }
}

TEST(DetectionOddLabels, ReportedAndKept) {
  const TempFolder temp;
  temp.write_picture("JPEGImages/a.jpg", smooth_picture(60, 40));
  const std::string box = voc_object("dog", voc_corners("10", "10", "20", "20"));
  temp.write_text("Annotations/a.xml", voc_xml(box + box + voc_object("dog", voc_corners("5", "5", "5", "9")) +
                                               voc_object("dog", voc_corners("30", "9", "20", "19")) +
                                               voc_object("dog", voc_corners("100", "9", "200", "19")) +
                                               voc_object("dog", voc_corners("-1e300", "9", "4", "10.5")) +
                                               voc_object("dog", voc_corners("0", "0", "60", "40"))));
  const DetectionSet set = open_detection_set(detection_options(DetectionFormat::kVoc, temp.path()));
  std::vector<Kind> kinds;
  for (const DetectionProblem& problem : set.problems) kinds.push_back(problem.kind);
  EXPECT_THAT(kinds,
              ElementsAre(Kind::kNoArea, Kind::kNoArea, Kind::kOutside, Kind::kOutside, Kind::kThin, Kind::kDuplicate));
  ASSERT_EQ(set.samples.at(0).boxes.size(), 4u);
  EXPECT_EQ(set.samples[0].boxes[2].box, (Box{0, 9, 4, 10.5}));
  EXPECT_EQ(set.samples[0].boxes[3].box, (Box{0, 0, 60, 40}));
}

// Labels for the picture as stored (its size says so) follow the camera's orientation; those for the upright one stay.
TEST(DetectionOddLabels, CameraOrientation) {
  for (int orientation = 5; orientation <= 8; ++orientation) {
    SCOPED_TRACE(orientation);
    const TempFolder temp;
    Image image(60, 40);  // black, white at 10..25 x 5..12
    std::fill(image.pixels.begin(), image.pixels.end(), uint8_t{0});
    for (int y = 5; y < 12; ++y) std::fill(image.at(10, y), image.at(25, y), uint8_t{255});
    temp.write("JPEGImages/a.jpg", with_exif_jpeg(encode_jpeg(image), orientation));
    apply_orientation(image, orientation);
    Box white{1e9, 1e9, 0, 0};
    for (int y = 0; y < image.height; ++y)
      for (int x = 0; x < image.width; ++x)
        if (*image.at(x, y) == 255)
          white = {std::min<double>(white.left, x), std::min<double>(white.top, y),
                   std::max<double>(white.right, x + 1), std::max<double>(white.bottom, y + 1)};
    temp.write_text("Annotations/a.xml", voc_xml(voc_object("dog", voc_corners("10", "5", "25", "12"))));
    const DetectionSetOptions options = detection_options(DetectionFormat::kVoc, temp.path());
    const DetectionSet set = open_detection_set(options);
    EXPECT_TRUE(set.problems.empty());
    EXPECT_EQ(set.samples.at(0).width, 40);
    EXPECT_EQ(set.samples[0].boxes.at(0).box, white);

    temp.write_text("Annotations/a.xml",
                    "<annotation>" + voc_object("dog", voc_corners("10", "5", "25", "12")) + "</annotation>");
    EXPECT_EQ(open_detection_set(options).samples.at(0).boxes.at(0).box, (Box{10, 5, 25, 12}));
  }
}

TEST(DetectionOddLabels, OtherSizeAndClassTables) {
  const TempFolder temp;
  temp.write_picture("JPEGImages/a.jpg", smooth_picture(70, 40));
  temp.write_text("Annotations/a.xml", voc_xml(voc_object("b", voc_corners("10", "5", "25", "12"))));
  temp.write_text("ImageSets/Main/b_train.txt", "a  -1\n");
  DetectionSetOptions options = detection_options(DetectionFormat::kVoc, temp.path("ImageSets/Main/b_train.txt"));
  const DetectionSet set = open_detection_set(options);
  ASSERT_EQ(set.problems.size(), 1u);
  EXPECT_EQ(set.problems[0].kind, Kind::kOtherSize);
  EXPECT_THAT(set.problems[0].reason, HasSubstr("60x40"));
  options.class_file = temp.write_text("classes.txt", "z\r\nb\r\n");
  EXPECT_THAT(open_detection_set(options).classes, ElementsAre("z", "b"));
  EXPECT_THAT(open_detection_set(options).counts, ElementsAre(0, 1));
  temp.write_text("classes.txt", "z\n");
  EXPECT_THAT(message_of(options),
              HasSubstr("a.xml:3: the class 'b' is not in the class table of '" + options.class_file));
  options.source = temp.path("nowhere");
  EXPECT_THAT(message_of(options), HasSubstr("there is no VOC data set"));
  options.source = temp.path("JPEGImages");
  EXPECT_THAT(message_of(options), HasSubstr("no .xml file"));
}

TEST(DetectionOddLabels, TenThousandBoxes) {
  const TempFolder temp;
  temp.write_picture("JPEGImages/a.jpg", smooth_picture(60, 40));
  std::string objects;
  for (int i = 0; i < 10000; ++i)
    objects += voc_object("dog", voc_corners(std::to_string(i % 50), std::to_string(i / 50 % 30), "60",
                                             std::to_string(31 + i / 10000.0)));
  temp.write_text("Annotations/a.xml", voc_xml(objects));
  EXPECT_THAT(open_detection_set(detection_options(DetectionFormat::kVoc, temp.path())).counts, ElementsAre(10000));
}

}  // namespace
}  // namespace ghost
