#include <cstddef>
#include <cstdint>

#include "check_picture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ghost::SourcePicture picture;
  picture.labels = "a.txt";
  ghost::parse_yolo({reinterpret_cast<const char*>(data), size}, {"cat", "dog", "white horse"}, picture);
  ghost::check_picture(picture);
  return 0;
}
