#include "data/detection_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "detection_files.h"

namespace ghost {
namespace {

using Kind = DetectionProblem::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(DetectionReport, CountsAndCompares) {
  const TempFolder temp;
  const auto add = [&](const std::string& name, int shade, const std::string& objects) {
    temp.write_picture("JPEGImages/" + name + ".jpg", smooth_picture(60, 40, shade));
    temp.write_text("Annotations/" + name + ".xml", voc_xml(objects));
  };
  const std::string dog = voc_object("dog", voc_corners("10", "10", "20", "30"));
  const std::string cat = voc_object("cat", voc_corners("0", "0", "50", "40"), "<difficult>1</difficult>");
  add("a", 1, dog + cat + dog);
  add("b", 1, cat + voc_object("dog", voc_corners("30", "10", "36", "70")));
  add("c", 2, dog);
  add("d", 2, dog);
  add("e", 3, "");
  // A header, but pixels that end early: a JPEG's end is cut out of its middle.
  std::vector<uint8_t> damaged = encode_jpeg(formula_picture(60, 40), 95);
  damaged.erase(damaged.begin() + 700, damaged.end() - 2);
  temp.write("JPEGImages/f.jpg", damaged);
  temp.write_text("Annotations/f.xml", voc_xml(dog));

  const DetectionSet set = open_detection_set(detection_options(DetectionFormat::kVoc, temp.path()));
  const DetectionReport report = inspect_detection_set(set);
  EXPECT_EQ(report.boxes, 8);
  EXPECT_EQ(report.negatives, 1);
  EXPECT_EQ(report.most_boxes, 3);
  ASSERT_EQ(report.classes.size(), 2u);
  EXPECT_EQ(report.classes[0].boxes, 2);
  EXPECT_EQ(report.classes[0].difficult, 2);
  EXPECT_EQ(report.classes[1].pictures, 5);
  EXPECT_THAT(report.classes[1].width, ElementsAre(6, 10, 10));
  EXPECT_THAT(report.classes[1].height, ElementsAre(20, 20, 30));
  EXPECT_THAT(report.problems, ElementsAre(1, 0, 0, 1, 0, 0, 0, 0, 0));
  EXPECT_THAT(report.duplicates, ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3)));
  EXPECT_THAT(report.conflicting, ElementsAre(ElementsAre(0, 1)));
  EXPECT_EQ(report.smallest_side, 40);
  EXPECT_EQ(report.largest_side, 60);
  EXPECT_EQ(report.readable + static_cast<int64_t>(report.unreadable.size()), 6);
  ASSERT_EQ(report.unreadable.size(), 1u);
  EXPECT_EQ(report.unreadable[0].first, 5);

  temp.write_text("ImageSets/Main/one.txt", "e\nc\n");
  const DetectionReport part = inspect_detection_set(
      open_detection_set(detection_options(DetectionFormat::kVoc, temp.path("ImageSets/Main/one.txt"))));
  EXPECT_THAT(overlap(part, report), ElementsAre(Pair(1, 2), Pair(1, 3), Pair(0, 4)));
}

TEST(DetectionReport, EveryKindHasAName) {
  std::set<std::string> names;
  for (const Kind kind : kProblemKinds) names.insert(problem_name(kind));
  EXPECT_EQ(names.size(), kProblemKinds.size());
  EXPECT_EQ(inspect_detection_set({}).boxes, 0);
}

}  // namespace
}  // namespace ghost
