#include "data/decode_backends.h"

#ifdef GHOST_WITH_TURBOJPEG

#include <turbojpeg.h>

#include <memory>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace ghost {
namespace {

struct Release {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Handle = std::unique_ptr<void, Release>;

// a * b / 255, rounded, as Pillow's MULDIV255.
uint8_t multiply_255(int a, int b) {
  const int t = a * b + 128;
  return static_cast<uint8_t>(((t >> 8) + t) >> 8);
}

// JPEG stores Adobe's inverted CMYK (255 is no ink); Pillow's cmyk2rgb.
void cmyk_to_rgb(const std::vector<uint8_t>& cmyk, Image& image) {
  uint8_t* to = image.pixels.data();
  for (size_t i = 0; i + 3 < cmyk.size(); i += 4, to += 3) {
    const int light = cmyk[i + 3];
    for (size_t c = 0; c < 3; ++c) to[c] = static_cast<uint8_t>(light - multiply_255(255 - cmyk[i + c], light));
  }
}

// Extra bytes between segments are common and harmless; every other warning means lost picture data.
bool harmless(void* handle) {
  return tjGetErrorCode(handle) == TJERR_WARNING &&
         std::string_view(tjGetErrorStr2(handle)).find("extraneous bytes") != std::string_view::npos;
}

bool decompress(void* handle, std::span<const uint8_t> bytes, uint8_t* out, const PictureHeader& header, int format) {
  const int width = static_cast<int>(header.width), height = static_cast<int>(header.height);
  const auto run = [&](int flags) {
    return tjDecompress2(handle, bytes.data(), static_cast<unsigned long>(bytes.size()), out, width, 0, height, format,
                         flags | TJFLAG_LIMITSCANS) == 0;
  };
  return run(TJFLAG_STOPONWARNING) || (harmless(handle) && (run(0) || harmless(handle)));
}

std::string decode(void* handle, std::span<const uint8_t> bytes, const PictureHeader& header, Image& image) {
  int width = 0, height = 0, subsampling = 0, colorspace = 0;
  if (tjDecompressHeader3(handle, bytes.data(), static_cast<unsigned long>(bytes.size()), &width, &height, &subsampling,
                          &colorspace) != 0 &&
      !harmless(handle))
    return str("damaged (", tjGetErrorStr2(handle), ")");
  if (width != header.width || height != header.height) return "damaged: two different sizes in one file";
  const bool cmyk = colorspace == TJCS_CMYK || colorspace == TJCS_YCCK;
  image.resize(width, height);
  std::vector<uint8_t> inks(cmyk ? image.pixels.size() / 3 * 4 : 0);
  if (!decompress(handle, bytes, cmyk ? inks.data() : image.pixels.data(), header, cmyk ? TJPF_CMYK : TJPF_RGB))
    return str("damaged (", tjGetErrorStr2(handle), ")");
  if (cmyk) cmyk_to_rgb(inks, image);
  return "";
}

}  // namespace

bool has_turbojpeg() { return true; }

std::string decode_with_turbojpeg(std::span<const uint8_t> bytes, const PictureHeader& header, Image& image) {
  thread_local Handle handle;
  if (handle == nullptr) handle.reset(tjInitDecompress());
  GHOST_CHECK_AS(kDevice, handle != nullptr, "libjpeg-turbo could not start: ", tjGetErrorStr2(nullptr));
  std::string reason = decode(handle.get(), bytes, header, image);
  // After an error in a header, libjpeg-turbo 2.1 begins the next picture in the middle of this one.
  if (!reason.empty()) handle.reset();
  return reason;
}

}  // namespace ghost

#else

namespace ghost {

bool has_turbojpeg() { return false; }

std::string decode_with_turbojpeg(std::span<const uint8_t>, const PictureHeader&, Image&) {
  return "this build has no libjpeg-turbo";
}

}  // namespace ghost

#endif
