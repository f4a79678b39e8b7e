// stb_image in a file of its own. Only the three formats, with a size limit, and never its vertical flip: the open CVEs
// of Debian's version are in GIF and in the flip.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_MAX_DIMENSIONS (1 << 16)
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#if !defined(__clang__)  // what it reads of a picture in memory before it knows that it is none
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#endif
#include <stb_image.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include <cstring>
#include <memory>

#include "core/error.h"
#include "data/decode_backends.h"

namespace ghost {

std::string decode_with_stb(std::span<const uint8_t> bytes, const PictureHeader& header, Image& image) {
  if (header.format == PictureFormat::kJpeg && header.components == 4 && !header.adobe)
    return "a CMYK JPEG without an Adobe segment; this build needs libjpeg-turbo for it, or save it as RGB";
  if (!header.has_tables) return "damaged: a JPEG scan without its Huffman table";
  int width = 0, height = 0, components = 0;
  struct Release {
    void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
  };
  const std::unique_ptr<stbi_uc, Release> pixels(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &components, 3));
  if (pixels == nullptr) return str("damaged or not supported (", stbi_failure_reason(), ")");
  if (width != header.width || height != header.height) return "damaged: two different sizes in one file";
  image.resize(width, height);
  std::memcpy(image.pixels.data(), pixels.get(), image.pixels.size());
  return "";
}

}  // namespace ghost
