// Damaged and odd labels: the file and line are named, the picture is left out or the set refused, nothing crashes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detection_files.h"

namespace ghost {
namespace {

using Kind = DetectionProblem::Kind;
using testing::ElementsAre;
using testing::HasSubstr;

struct BadCase {
  std::string text, place, reason;
  Kind kind = Kind::kMalformed;
};

// A good picture a and a bad one b: b is left out with the reason, or refused.
void expect_bad(DetectionSetOptions options, const BadCase& bad) {
  SCOPED_TRACE(bad.text.substr(0, 200));
  const DetectionSet set = open_detection_set(options);
  ASSERT_EQ(set.problems.size(), 1u);
  EXPECT_EQ(set.problems[0].kind, bad.kind);
  EXPECT_TRUE(set.problems[0].place.ends_with(bad.place)) << set.problems[0].place;
  EXPECT_THAT(set.problems[0].reason, HasSubstr(bad.reason));
  ASSERT_EQ(set.samples.size(), 1u);
  EXPECT_THAT(set.samples[0].path, HasSubstr("a.jpg"));
  options.skip_bad = false;
  const std::string message = error_message(ErrorKind::kData, [&] { open_detection_set(options); });
  EXPECT_THAT(message, HasSubstr(bad.place));
  EXPECT_THAT(message, HasSubstr(bad.reason));
}

TEST(DetectionBadInput, Voc) {
  const TempFolder temp;
  temp.write_picture("JPEGImages/a.jpg", smooth_picture(60, 40));
  temp.write_picture("JPEGImages/b.jpg", smooth_picture(60, 40));
  const std::string good = voc_object("dog", voc_corners("1", "2", "30", "20"));
  temp.write_text("Annotations/a.xml", voc_xml(good));
  const auto with = [&](const std::string& corners) { return voc_xml(good + voc_object("cat", corners)); };
  const std::string deep = [] {
    std::string text;
    for (int i = 0; i < 200000; ++i) text += "<annotation>";
    return text;
  }();
  for (const BadCase& bad : std::vector<BadCase>{
           {"", "b.xml:1", "no valid XML"},
           {"<annotation>\n<object>\n<name>dog</nam>", "b.xml:3", "no valid XML"},
           {"no xml at all", "b.xml:1", "no valid XML"},
           {"<notes></notes>", "b.xml:1", "<annotation> is missing"},
           {std::string("\0\x01\xFF\xFE", 4), "b.xml:1", ""},
           {deep, "b.xml:1", "no valid XML"},
           {with(voc_corners("nan", "2", "3", "4")), "b.xml:9", "<xmin> is 'nan', which is no number"},
           {with(voc_corners("1", "inf", "3", "4")), "b.xml:9", "<ymin>"},
           {with(voc_corners("1", "2", "1e999", "4")), "b.xml:9", "<xmax>"},
           {with(voc_corners("1", "2", "3", "")), "b.xml:9", "<ymax> is ''"},
           {with("<xmin>1</xmin>"), "b.xml:9", "no <ymin>"},
           {voc_xml(good + "<object><name>dog</name></object>"), "b.xml:7", "no <bndbox>"},
           {voc_xml(good + voc_object(" ", voc_corners("1", "2", "3", "4"))), "b.xml:7", "no <name>"}}) {
    temp.write_text("Annotations/b.xml", bad.text);
    expect_bad(detection_options(DetectionFormat::kVoc, temp.path()), bad);
  }
  temp.write_text("ImageSets/Main/all.txt", "a\nc\n");
  expect_bad(detection_options(DetectionFormat::kVoc, temp.path("ImageSets/Main/all.txt")),
             {"", "c.xml", "cannot", Kind::kMalformed});
  std::filesystem::remove(temp.path("JPEGImages/b.jpg"));
  temp.write_text("Annotations/b.xml", voc_xml(good));
  expect_bad(detection_options(DetectionFormat::kVoc, temp.path()), {"", "b.xml", "no picture", Kind::kMissingPicture});
  temp.write_text("JPEGImages/b.jpg", "\xFF\xD8 no picture");
  expect_bad(detection_options(DetectionFormat::kVoc, temp.path()), {"", "b.jpg", "", Kind::kUnreadable});
}

TEST(DetectionBadInput, Coco) {
  const TempFolder temp;
  temp.write_picture("a.jpg", smooth_picture(60, 40));
  temp.write_picture("b.jpg", smooth_picture(60, 40));
  const std::string head =
      R"({"categories": [{"id": 1, "name": "dog"}], "images": [{"id": 1, "file_name": "a.jpg"},
          {"id": 2, "file_name": "b.jpg"}], "annotations": [{"id": 10, "image_id": 1, "category_id": 1,
          "bbox": [1, 2, 3, 4]}, )";
  for (const BadCase& bad : std::vector<BadCase>{
           {R"({"id": 11, "image_id": 2, "category_id": 1})", "annotation 11", "four numbers"},
           {R"({"id": 11, "image_id": 2, "category_id": 1, "bbox": [1, 2, null, 4]})", "annotation 11", "four numbers"},
           {R"({"id": 11, "image_id": 2, "category_id": 1, "bbox": [1, 2, 3]})", "annotation 11", "four numbers"},
           {R"({"id": 11, "image_id": 2, "category_id": 7, "bbox": [1, 2, 3, 4]})", "annotation 11",
            "no category with id 7", Kind::kUnknownClass},
           {R"({"image_id": 2, "category_id": "x", "bbox": [1, 2, 3, 4]})", "annotations[1]", "'category_id'"}}) {
    temp.write_text("set.json", head + bad.text + "]}");
    expect_bad(detection_options(DetectionFormat::kCoco, temp.path("set.json")), bad);
  }
  // A label without a picture: the pictures stay.
  for (const char* odd : {R"({"id": 11, "image_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4]})", "5", "null", "[]"}) {
    temp.write_text("set.json", head + odd + "]}");
    const DetectionSet set = open_detection_set(detection_options(DetectionFormat::kCoco, temp.path("set.json")));
    EXPECT_EQ(set.samples.size(), 2u);
    ASSERT_EQ(set.problems.size(), 1u);
    EXPECT_EQ(set.problems[0].kind, Kind::kMissingPicture);
  }
  std::filesystem::remove(temp.path("b.jpg"));
  temp.write_text("set.json", head.substr(0, head.size() - 2) + "]}");
  expect_bad(detection_options(DetectionFormat::kCoco, temp.path("set.json")),
             {"", "set.json", "no picture 'b.jpg'", Kind::kMissingPicture});
}

TEST(DetectionBadInput, CocoFilesThatAreNone) {
  const TempFolder temp;
  const std::string deep(300000, '[');
  const std::pair<std::string, std::string> cases[]{
      {"", ":1: no valid JSON"},
      {"{\n\"images\": [\n{\"id\": 1, }]}", ":3: no valid JSON"},
      {"{\"images\": [], \"annotations\": [{\"bbox\": [NaN, 1, 2, 3]}]}", ":1: no valid JSON"},
      {"{\"images\": [1e999]}", "no valid JSON"},
      {"{\"images\": [{\"file_name\": \"\xFF\"}]}", "no valid JSON"},
      {deep, "no valid JSON"},
      {"[1, 2]", "no COCO file"},
      {"{\"images\": {}}", "no COCO file"},
      {R"({"images": [], "annotations": [], "categories": [3]})", "categories[0]"},
      {R"({"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]})", "twice"},
      {R"({"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]})", "twice"},
      {R"({"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]})", "no picture"},
      {R"({"images": [7, {"id": "x", "file_name": "a.jpg"}], "annotations": [], "categories": []})", "images[0]"}};
  for (const auto& [text, reason] : cases) {
    temp.write_text("set.json", text);
    EXPECT_THAT(
        error_message(ErrorKind::kData,
                      [&] { open_detection_set(detection_options(DetectionFormat::kCoco, temp.path("set.json"))); }),
        HasSubstr(reason));
  }
}

}  // namespace
}  // namespace ghost
