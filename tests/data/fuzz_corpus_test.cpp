// Each input of tests/fuzz/corpus, with every compiler and sanitizer: what fuzzing found once stays mended.
#include <gtest/gtest.h>

#include "../fuzz/label_checks.h"
#include "pictures.h"

namespace ghost {
namespace {

template <class Check>
void run_corpus(const std::string& format, const Check& check) {
  int64_t inputs = 0;
  for (const std::filesystem::path& file :
       folder_entries(std::filesystem::path(GHOST_SOURCE_DIR) / "tests/fuzz/corpus" / format)) {
    SCOPED_TRACE(file.string());
    const std::string text = read_text(file.string(), int64_t{1} << 20);
    check(text);
    for (size_t size = 0; size < text.size(); size += 1 + size / 16) check(text.substr(0, size));  // cut off
    ++inputs;
  }
  EXPECT_GE(inputs, 4);
}

TEST(FuzzCorpus, Voc) {
  run_corpus("voc", [](const std::string& text) { check_voc(text); });
}
TEST(FuzzCorpus, Coco) {
  run_corpus("coco", [](const std::string& text) { check_coco(text); });
}
TEST(FuzzCorpus, Yolo) {
  run_corpus("yolo", [](const std::string& text) { check_yolo(text); });
}

}  // namespace
}  // namespace ghost
