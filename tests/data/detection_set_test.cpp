#include "data/detection_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pictures.h"

namespace ghost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string voc_object(const std::string& name, const std::string& corners, const std::string& more = "") {
  return "  <object>\n    <name>" + name + "</name>\n    " + more + "\n    <bndbox>" + corners +
         "</bndbox>\n  </object>\n";
}
std::string corners(const std::string& a, const std::string& b, const std::string& c, const std::string& d) {
  return "<xmin>" + a + "</xmin><ymin>" + b + "</ymin><xmax>" + c + "</xmax><ymax>" + d + "</ymax>";
}
std::string voc_xml(const std::string& objects) {
  return "<annotation>\n<size><width>60</width><height>40</height></size>\n" + objects + "</annotation>\n";
}

TEST(DetectionSet, ReadsVoc) {
  const TempFolder temp;
  temp.write_picture("set/JPEGImages/a 1.jpg", smooth_picture(60, 40));
  temp.write_picture("set/JPEGImages/b.JPG", smooth_picture(60, 40));
  temp.write_text("set/Annotations/a 1.xml",
                  voc_xml(voc_object("dog", corners("1", "2.5", "30", "20"), "<difficult>1</difficult>") +
                          voc_object("cat #1", corners("50", "30", "70", "39"))));
  temp.write_text("set/Annotations/b.xml", voc_xml(""));
  temp.write_text("set/ImageSets/Main/train.txt", "b\r\na 1\r\n\r\n");
  DetectionSetOptions options;
  options.source = temp.path("set");
  const DetectionSet set = open_detection_set(options);
  EXPECT_THAT(set.classes, ElementsAre("cat #1", "dog"));
  ASSERT_EQ(set.samples.size(), 2u);
  ASSERT_EQ(set.samples[0].boxes.size(), 2u);
  EXPECT_EQ(set.samples[0].boxes[0].box, (Box{1, 2.5, 30, 20}));
  EXPECT_TRUE(set.samples[0].boxes[0].difficult);
  EXPECT_EQ(set.samples[0].boxes[1].box, (Box{50, 30, 60, 39}));
  EXPECT_THAT(set.counts, ElementsAre(1, 1));
  ASSERT_EQ(set.problems.size(), 1u);
  EXPECT_THAT(set.problems[0].place, HasSubstr("a 1.xml:8"));

  options.source = temp.path("set/ImageSets/Main/train.txt");
  const DetectionSet listed = open_detection_set(options);
  ASSERT_EQ(listed.samples.size(), 2u);
  EXPECT_TRUE(listed.samples[0].boxes.empty());
  EXPECT_EQ(listed.samples[1].id, 2);
}

}  // namespace
}  // namespace ghost
