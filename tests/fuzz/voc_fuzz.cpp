#include "label_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ghost::check_voc({reinterpret_cast<const char*>(data), size});
  return 0;
}
