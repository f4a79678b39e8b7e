#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb_image_write.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include "core/error.h"
#include "data/file_bytes.h"
#include "data/image_write.h"

namespace ghost {
namespace {

void append(void* bytes, void* data, int size) {
  const uint8_t* begin = static_cast<const uint8_t*>(data);
  static_cast<std::vector<uint8_t>*>(bytes)->insert(static_cast<std::vector<uint8_t>*>(bytes)->end(), begin,
                                                    begin + size);
}

std::vector<uint8_t> png(const uint8_t* pixels, int width, int height, int channels) {
  GHOST_CHECK(width >= 1 && height >= 1, "a picture of ", width, "x", height, " cannot be written");
  std::vector<uint8_t> bytes;
  const int done = stbi_write_png_to_func(append, &bytes, width, height, channels, pixels, width * channels);
  GHOST_ASSERT(done != 0);
  return bytes;
}

}  // namespace

std::vector<uint8_t> encode_png(const Image& image) { return png(image.pixels.data(), image.width, image.height, 3); }

std::vector<uint8_t> encode_grey_png(std::span<const uint8_t> values, int width, int height) {
  GHOST_CHECK(static_cast<int64_t>(values.size()) == int64_t{width} * height, values.size(),
              " values for a picture of ", width, "x", height);
  return png(values.data(), width, height, 1);
}

std::vector<uint8_t> encode_jpeg(const Image& image, int quality) {
  GHOST_CHECK(quality >= 1 && quality <= 100, "JPEG quality ", quality, " is not in 1..100");
  GHOST_CHECK(image.width >= 1 && image.height >= 1, "a picture of ", image.width, "x", image.height,
              " cannot be written");
  std::vector<uint8_t> bytes;
  const int done = stbi_write_jpg_to_func(append, &bytes, image.width, image.height, 3, image.pixels.data(), quality);
  GHOST_ASSERT(done != 0);
  return bytes;
}

void write_image(const std::string& path, const Image& image) {
  const std::string extension = path.substr(std::min(path.rfind('.'), path.size()));
  const bool is_png = extension == ".png";
  GHOST_CHECK(is_png || extension == ".jpg" || extension == ".jpeg", "cannot write '", path,
              "': the name must end in .png, .jpg or .jpeg");
  write_file(path, is_png ? encode_png(image) : encode_jpeg(image));
}

}  // namespace ghost
