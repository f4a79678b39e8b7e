#include "data/image_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/folder_report.h"
#include "pictures.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names(const ImageFolder& folder) {
  std::vector<std::string> result;
  for (const Sample& sample : folder.samples)
    result.push_back(fs::path(sample.path).lexically_relative(folder.root).string() + ":" +
                     std::to_string(sample.label));
  return result;
}

TEST(ImageFolder, SortedByBytesAndAnyExtensionCase) {
  const TempFolder temp;
  for (const char* name : {"b/2.JPG", "b/1.jpeg", "B/x.Png", "caf\xC3\xA9 au lait/1 2.bmp", "b/deep/er/3.jpg",
                           "b/readme.txt", "b/.hidden.jpg", ".git/1.jpg", "loose.jpg"})
    temp.write_text(name, "x");
  const ImageFolder folder = open_training_folder(temp.path());
  EXPECT_THAT(folder.classes, ElementsAre("B", "b", "caf\xC3\xA9 au lait"));
  EXPECT_THAT(names(folder), ElementsAre("B/x.Png:0", "b/1.jpeg:1", "b/2.JPG:1", "b/deep/er/3.jpg:1",
                                         "caf\xC3\xA9 au lait/1 2.bmp:2"));
  EXPECT_THAT(folder.counts, ElementsAre(1, 3, 1));
  EXPECT_EQ(folder.other_files, 1);
  EXPECT_TRUE(folder.empty_classes.empty());
}

TEST(ImageFolder, FollowsLinksButNotInCircles) {
  const TempFolder temp;
  temp.write_text("elsewhere/1.jpg", "x");
  temp.write_text("data/a/1.jpg", "x");
  fs::create_directory_symlink(temp.path("elsewhere"), temp.path("data/b"));
  fs::create_symlink(temp.path("elsewhere/1.jpg"), temp.path("data/a/2.jpg"));
  fs::create_directory_symlink(temp.path("data/a"), temp.path("data/a/loop"));
  EXPECT_THAT(names(open_training_folder(temp.path("data"))), ElementsAre("a/1.jpg:0", "a/2.jpg:0", "b/1.jpg:1"));
}

TEST(ImageFolder, RefusesWhatCannotBeTrained) {
  const TempFolder temp;
  const auto message = [&](const std::string& name) {
    return error_message(ErrorKind::kData, [&] { open_training_folder(temp.path(name)); });
  };
  EXPECT_THAT(message("missing"), HasSubstr("there is no folder '" + temp.path("missing")));
  fs::create_directories(temp.path("empty"));
  EXPECT_THAT(message("empty"), HasSubstr("no class folder"));
  temp.write_text("loose/1.jpg", "x");
  EXPECT_THAT(message("loose"), HasSubstr("one folder per class"));
  EXPECT_THAT(message("loose/1.jpg"), HasSubstr("is not a folder"));
  fs::create_directories(temp.path("hollow/a"));
  fs::create_directories(temp.path("hollow/b"));
  EXPECT_THAT(message("hollow"), HasSubstr("no picture"));
  temp.write_text("single/a/1.jpg", "x");
  fs::create_directories(temp.path("single/b"));
  EXPECT_THAT(message("single"), HasSubstr("one class only"));
  EXPECT_THAT(message("single"), HasSubstr("'b'"));
}

TEST(ImageFolder, ClassFileFixesTheOrder) {
  const TempFolder temp;
  for (const char* name : {"data/cat/1.jpg", "data/dog/1.jpg"}) temp.write_text(name, "x");
  const std::string file = temp.write_text("classes.txt",
                                           "\xEF\xBB\xBF"
                                           "dog\r\nred fox\r\ncat \r\n\r\n\n");
  const ImageFolder folder = open_training_folder(temp.path("data"), file);
  EXPECT_THAT(folder.classes, ElementsAre("dog", "red fox", "cat"));
  EXPECT_THAT(names(folder), ElementsAre("dog/1.jpg:0", "cat/1.jpg:2"));
  EXPECT_THAT(folder.empty_classes, ElementsAre("red fox"));

  const auto message = [&](const std::string& text) {
    temp.write_text("classes.txt", text);
    return error_message(ErrorKind::kData, [&] { open_training_folder(temp.path("data"), file); });
  };
  EXPECT_THAT(message("dog\ncow\n"), HasSubstr("'cat', which is no class of"));
  EXPECT_THAT(message("dog\n\ncat\n"), HasSubstr("classes.txt:2: an empty line"));
  EXPECT_THAT(message("dog\ncat\ndog\n"), HasSubstr("classes.txt:3: the class 'dog' is there twice"));
  EXPECT_THAT(message("\n"), HasSubstr("holds no name"));
}

TEST(ImageFolder, EvaluationMatchesByName) {
  const TempFolder temp;
  for (const char* name : {"val/90/1.jpg", "val/270/1.jpg"}) temp.write_text(name, "x");
  // As sorted folders the two would be 0 and 1; the model's table says otherwise.
  const ImageFolder folder = open_evaluation_folder(temp.path("val"), {"0", "180", "270", "90"});
  EXPECT_THAT(names(folder), ElementsAre("270/1.jpg:2", "90/1.jpg:3"));
  EXPECT_THAT(folder.empty_classes, ElementsAre("0", "180"));

  const std::string message = error_message(ErrorKind::kData, [&] {
    open_evaluation_folder(temp.path("val"), {"0", "90", "180"});
  });
  EXPECT_THAT(message, HasSubstr("folder '270'"));
  EXPECT_THAT(message, HasSubstr("'0', '90', '180'"));
  std::vector<std::string> many;
  for (int i = 0; i < 100; ++i) many.push_back("class" + std::to_string(i));
  EXPECT_THAT(error_message(ErrorKind::kData, [&] { open_evaluation_folder(temp.path("val"), many); }),
              HasSubstr("and 80 more"));
}

TEST(FolderReport, FindsWhatIsWrong) {
  const TempFolder temp;
  const Image picture = smooth_picture(20, 12);
  temp.write_picture("train/a/1.png", picture);
  temp.write_picture("train/a/2.jpg", smooth_picture(30, 16, 1));
  temp.write_picture("train/a/again.png", picture);
  temp.write_picture("train/b/other.png", smooth_picture(18, 18, 2));
  temp.write_picture("train/b/wrong.jpg", smooth_picture(30, 16, 1));
  temp.write_text("train/b/broken.jpg", "not a picture");
  temp.write_text("train/b/empty.png", "");
  temp.write_text("train/b/empty2.png", "");
  temp.write_picture("val/a/new.png", smooth_picture(20, 12, 5));
  temp.write_picture("val/b/seen.png", smooth_picture(18, 18, 2));

  const ImageFolder train = open_training_folder(temp.path("train"));
  const FolderReport report = inspect_folder(train);
  const auto name = [&](int64_t i) { return fs::path(train.samples[static_cast<size_t>(i)].path).filename().string(); };
  EXPECT_EQ(report.readable, 5);
  EXPECT_EQ(report.smallest_side, 12);
  EXPECT_EQ(report.largest_side, 30);
  ASSERT_EQ(report.unreadable.size(), 1u);
  EXPECT_EQ(name(report.unreadable[0].sample), "broken.jpg");
  EXPECT_THAT(report.unreadable[0].reason, HasSubstr("not a JPEG"));
  ASSERT_EQ(report.zero_byte.size(), 2u);
  EXPECT_EQ(name(report.zero_byte[0]), "empty.png");
  ASSERT_EQ(report.duplicates.size(), 2u);
  EXPECT_EQ(name(report.duplicates[0][0]) + name(report.duplicates[0][1]), "1.pngagain.png");
  ASSERT_EQ(report.conflicting.size(), 1u);
  EXPECT_EQ(name(report.conflicting[0][1]), "wrong.jpg");

  const ImageFolder val = open_evaluation_folder(temp.path("val"), train.classes);
  const auto pairs = overlap(report, inspect_folder(val));
  ASSERT_EQ(pairs.size(), 1u);
  EXPECT_EQ(name(pairs[0].first), "other.png");
  EXPECT_THAT(val.samples[static_cast<size_t>(pairs[0].second)].path, HasSubstr("seen.png"));
}

}  // namespace
}  // namespace ghost
