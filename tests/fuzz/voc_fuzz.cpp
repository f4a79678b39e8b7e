#include <cstddef>
#include <cstdint>

#include "check_picture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ghost::SourcePicture picture;
  picture.labels = "a.xml";
  ghost::parse_voc({reinterpret_cast<const char*>(data), size}, picture);
  ghost::check_picture(picture);
  return 0;
}
