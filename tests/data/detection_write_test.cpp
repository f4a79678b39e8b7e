#include "data/detection_write.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detection_files.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Two pictures of one name, odd names and sizes, boxes on the borders and with fractions, flags, and a negative.
DetectionSet odd_set(const TempFolder& temp) {
  DetectionSet set;
  set.source = "made";
  set.classes = {"white dog", "cat: \"#2\" <&>", "\xC3\xA4"};
  set.samples = {{temp.write_picture("in/x/a b#1.jpg", smooth_picture(61, 43, 1)), 61, 43, 70, {}},
                 {temp.write_picture("in/y/a b#1.png", smooth_picture(33, 77, 2)), 33, 77, 8, {}},
                 {temp.write_picture("in/y/\xC3\xB6 & <c>.jpg", smooth_picture(20, 20, 3)), 20, 20, 9, {}}};
  set.samples[0].boxes = {{{0, 0, 61, 43}, 1, false, false, 61 * 43},
                          {{1.0 / 3, 2.1, 17.7, 40.000001}, 0, false, false, 100.25},
                          {{5, 6, 7, 8}, 2, true, false, 4},
                          {{5, 6, 9, 8}, 2, false, true, 8}};
  set.samples[1].boxes = {{{10, 20, 33, 77}, 2, false, false, 23 * 57}};
  return set;
}

void expect_same(const DetectionSet& got, const DetectionSet& want, bool flags) {
  ASSERT_EQ(got.samples.size(), want.samples.size());
  for (size_t i = 0; i < want.samples.size(); ++i) {
    SCOPED_TRACE(i);
    std::vector<BoxLabel> boxes = want.samples[i].boxes;
    if (!flags) std::erase_if(boxes, [](const BoxLabel& box) { return box.difficult || box.crowd; });
    EXPECT_EQ(got.samples[i].width, want.samples[i].width);
    ASSERT_EQ(got.samples[i].boxes.size(), boxes.size());
    std::vector<uint8_t> got_bytes, want_bytes;
    read_file(got.samples[i].path, got_bytes);
    read_file(want.samples[i].path, want_bytes);
    EXPECT_EQ(got_bytes, want_bytes);
    for (size_t k = 0; k < boxes.size(); ++k) {
      const BoxLabel& a = got.samples[i].boxes[k];
      EXPECT_NEAR(a.box.left, boxes[k].box.left, 1e-12);
      EXPECT_NEAR(a.box.top, boxes[k].box.top, 1e-12);
      EXPECT_NEAR(a.box.right, boxes[k].box.right, 1e-12);
      EXPECT_NEAR(a.box.bottom, boxes[k].box.bottom, 1e-12);
      EXPECT_EQ(got.classes[static_cast<size_t>(a.label)], want.classes[static_cast<size_t>(boxes[k].label)]);
      EXPECT_EQ(a.difficult, boxes[k].difficult);
      EXPECT_EQ(a.crowd, boxes[k].crowd);
      EXPECT_NEAR(a.area, flags ? boxes[k].area : a.box.area(), 1e-9);
    }
  }
}

TEST(DetectionWrite, EveryFormatComesBack) {
  const TempFolder temp;
  const DetectionSet set = odd_set(temp);
  const std::tuple<DetectionFormat, const char*, const char*> forms[]{
      {DetectionFormat::kVoc, "voc", "voc/ImageSets/Main/train.txt"},
      {DetectionFormat::kCoco, "coco", "coco/annotations/instances_train.json"},
      {DetectionFormat::kYolo, "yolo", "yolo/data.yaml#train"}};
  for (const auto& [format, folder, source] : forms) {
    SCOPED_TRACE(folder);
    const DetectionWriteResult result = write_detection_sets(
        {{"train", &set}, {"val", &set}}, {format, temp.path(folder), format == DetectionFormat::kCoco});
    const bool flags = format != DetectionFormat::kYolo;
    EXPECT_EQ(result.pictures, 6);
    EXPECT_EQ(result.boxes, flags ? 10 : 6);
    DetectionSetOptions options = detection_options(format, temp.path(source));
    if (format == DetectionFormat::kVoc) options.class_file = temp.path("voc/classes.txt");
    const DetectionSet got = open_detection_set(options);
    EXPECT_THAT(got.problems, IsEmpty());
    EXPECT_EQ(got.classes, set.classes);
    expect_same(got, set, flags);
    if (format == DetectionFormat::kCoco) {
      EXPECT_EQ(got.samples[0].id, 70);
      EXPECT_THAT(result.lost, ElementsAre(HasSubstr("2 difficult boxes")));
    }
    EXPECT_FALSE(fs::exists(temp.path(std::string(folder) + ".partial")));
  }
  EXPECT_TRUE(fs::exists(temp.path("voc/JPEGImages/a b#1_2.png")));
}

TEST(DetectionWrite, RefusesAndLeavesNothing) {
  const TempFolder temp;
  DetectionSet set = odd_set(temp), other = set;
  const auto write = [&](const std::vector<DetectionSplit>& splits, const std::string& name) {
    write_detection_sets(splits, {DetectionFormat::kVoc, temp.path(name), false});
  };
  other.classes.pop_back();
  EXPECT_THAT(error_message(ErrorKind::kUsage,
                            [&] {
                              write({{"train", &set}, {"val", &other}}, "out");
                            }),
              HasSubstr("other classes"));
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { write({{"a/b", &set}}, "out"); }), HasSubstr("'a/b'"));
  EXPECT_THAT(error_message(ErrorKind::kUsage, [&] { write({{"a", &set}, {"a", &set}}, "out"); }), HasSubstr("'a'"));
  temp.write_text("full/mine.txt", "precious");
  EXPECT_THAT(error_message(ErrorKind::kData, [&] { write({{"a", &set}}, "full"); }), HasSubstr("is not empty"));
  set.samples[1].path = temp.path("gone.jpg");
  EXPECT_THAT(error_message(ErrorKind::kData, [&] { write({{"a", &set}}, "out"); }), HasSubstr("gone.jpg"));
  EXPECT_FALSE(fs::exists(temp.path("out")));
  EXPECT_FALSE(fs::exists(temp.path("out.partial")));
}

}  // namespace
}  // namespace ghost
