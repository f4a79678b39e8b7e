#include <cstddef>
#include <cstdint>

#include "check_picture.h"
#include "core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const ghost::DetectionSource source = ghost::parse_coco({reinterpret_cast<const char*>(data), size}, "a.json");
    for (const ghost::SourcePicture& picture : source.pictures) ghost::check_picture(picture);
  } catch (const ghost::Error& error) {
    ghost::require(error.kind() == ghost::ErrorKind::kData);
  }
  return 0;
}
