#include "data/detection_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detection_files.h"

namespace ghost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(DetectionSet, ReadsVoc) {
  const TempFolder temp;
  temp.write_picture("set/JPEGImages/a 1.jpg", smooth_picture(60, 40));
  temp.write_picture("set/JPEGImages/b.JPG", smooth_picture(60, 40));
  temp.write_text("set/Annotations/a 1.xml",
                  voc_xml(voc_object("dog", voc_corners("1", "2.5", "30", "20"), "<difficult>1</difficult>") +
                          voc_object("cat #1", voc_corners("50", "30", "70", "39"))));
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
  EXPECT_THAT(set.problems[0].place, HasSubstr("a 1.xml:7"));

  options.source = temp.path("set/ImageSets/Main/train.txt");
  const DetectionSet listed = open_detection_set(options);
  ASSERT_EQ(listed.samples.size(), 2u);
  EXPECT_TRUE(listed.samples[0].boxes.empty());
  EXPECT_EQ(listed.samples[1].id, 2);
}

TEST(DetectionSet, ReadsCoco) {
  const TempFolder temp;
  temp.write_picture("images/train/a b.jpg", smooth_picture(60, 40));
  temp.write_picture("images/train/#2.png", smooth_picture(30, 50));
  DetectionSetOptions options;
  options.format = DetectionFormat::kCoco;
  options.source = temp.write_text("annotations/instances_train.json", R"({
    "images": [{"id": 7, "file_name": "a b.jpg", "width": 60, "height": 40}, {"id": 0, "file_name": "#2.png"}],
    "categories": [{"id": 9, "name": "white dog"}, {"id": 3, "name": "animals"}, {"id": 5, "name": "cat"}],
    "annotations": [
      {"id": 0, "image_id": 7, "category_id": 5, "bbox": [1, 2.5, 10, 20], "area": 150.5, "iscrowd": 0,
       "segmentation": [[1, 2, 3, 4, 5, 6]]},
      {"id": 1, "image_id": 0, "category_id": 9, "bbox": [20, 40, 100, 5], "iscrowd": 1}]})");
  const DetectionSet set = open_detection_set(options);
  EXPECT_THAT(set.classes, ElementsAre("animals", "cat", "white dog"));
  EXPECT_THAT(set.counts, ElementsAre(0, 1, 1));
  ASSERT_EQ(set.samples.size(), 2u);
  EXPECT_EQ(set.samples[0].id, 7);
  EXPECT_EQ(set.samples[0].boxes.at(0).box, (Box{1, 2.5, 11, 22.5}));
  EXPECT_EQ(set.samples[0].boxes[0].area, 150.5);
  EXPECT_EQ(set.samples[1].id, 0);
  EXPECT_EQ(set.samples[1].width, 30);
  EXPECT_EQ(set.samples[1].boxes.at(0).box, (Box{20, 40, 30, 45}));
  EXPECT_EQ(set.samples[1].boxes[0].area, 50);
  EXPECT_TRUE(set.samples[1].boxes[0].crowd);

  options.classes = {"cat", "white dog"};  // a category without boxes may be missing
  EXPECT_THAT(open_detection_set(options).counts, ElementsAre(1, 1));
  options.classes = {"cat"};
  EXPECT_THAT(error_message(ErrorKind::kData, [&] { open_detection_set(options); }),
              HasSubstr("annotation 1: the class 'white dog' is not in the class table of the model"));
}

TEST(DetectionSet, ReadsYolo) {
  const TempFolder temp;
  temp.write_picture("images/val/a b#1.jpg", smooth_picture(60, 40));
  temp.write_picture("images/val/no.png", smooth_picture(30, 50));
  temp.write_picture("images/val/poly.png", smooth_picture(100, 100));
  temp.write_text("labels/val/a b#1.txt", "1 0.5 0.5 0.5 0.25\r\n\r\n0\t0.9 0.5 0.4 0.1\r\n\r\n");
  temp.write_text("labels/val/poly.txt", "1 0.1 0.2 0.5 0.1 0.3 0.7");
  DetectionSetOptions options;
  options.format = DetectionFormat::kYolo;
  options.source = temp.write_text("data.yaml", "path: .\nval: images/val\nnames:\n  0: cat\n  1: 'dog #2'\n") + "#val";
  const DetectionSet set = open_detection_set(options);
  EXPECT_THAT(set.classes, ElementsAre("cat", "dog #2"));
  EXPECT_THAT(set.counts, ElementsAre(1, 2));
  ASSERT_EQ(set.samples.size(), 3u);
  EXPECT_EQ(set.samples[0].boxes.at(0).box, (Box{15, 15, 45, 25}));
  EXPECT_EQ(set.samples[0].boxes.at(1).box.right, 60);
  EXPECT_TRUE(set.samples[1].boxes.empty());
  EXPECT_NEAR(set.samples[2].boxes.at(0).box.bottom, 70, 1e-9);
  ASSERT_EQ(set.problems.size(), 1u);
  EXPECT_EQ(set.problems[0].kind, DetectionProblem::Kind::kOutside);
  EXPECT_THAT(set.problems[0].place, HasSubstr("a b#1.txt:3"));

  options.source = temp.path("images");
  EXPECT_THAT(error_message(ErrorKind::kData, [&] { open_detection_set(options); }), HasSubstr("no class names"));
  options.class_file = temp.write_text("classes.txt", "one\ntwo\n");
  EXPECT_THAT(open_detection_set(options).classes, ElementsAre("one", "two"));
  options.source = temp.write_text("lists/val.txt", "images/val/no.png\nimages/val/a b#1.jpg\n");
  EXPECT_EQ(open_detection_set(options).samples.at(1).boxes.size(), 2u);
}

}  // namespace
}  // namespace ghost
