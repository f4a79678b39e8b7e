#include "data/decode.h"

#include "core/error.h"
#include "data/decode_backends.h"
#include "data/exif.h"
#include "data/file_bytes.h"
#include "data/picture_header.h"

namespace ghost {
namespace {

std::string decode(std::span<const uint8_t> bytes, Image& image, const DecodeOptions& options) {
  PictureHeader header;
  std::string reason = parse_picture_header(bytes, header);
  // A size beyond the limits is told first: a bomb is often also truncated.
  if (header.width > options.max_side || header.height > options.max_side ||
      header.width * header.height > options.max_pixels)
    return str("it says ", header.width, "x", header.height, " pixels; the limit is ", options.max_side,
               " per side and ", options.max_pixels, " in all");
  if (!reason.empty()) return reason;
  const bool turbo = header.format == PictureFormat::kJpeg && options.jpeg == JpegDecoder::kBest && has_turbojpeg();
  reason = turbo ? decode_with_turbojpeg(bytes, header, image) : decode_with_stb(bytes, header, image);
  if (!reason.empty()) return reason;
  apply_orientation(image, header.orientation);
  return "";
}

}  // namespace

std::string jpeg_decoder_name() { return has_turbojpeg() ? "libjpeg-turbo" : "stb_image"; }

void decode_image(std::span<const uint8_t> bytes, const std::string& name, Image& image, const DecodeOptions& options) {
  const std::string reason = decode(bytes, image, options);
  GHOST_CHECK_AS(kData, reason.empty(), "cannot read picture '", name, "': ", reason);
}

void read_image(const std::string& path, Image& image, const DecodeOptions& options) {
  thread_local std::vector<uint8_t> bytes;
  read_file(path, bytes);
  decode_image(bytes, path, image, options);
}

Image read_image(const std::string& path, const DecodeOptions& options) {
  Image image;
  read_image(path, image, options);
  return image;
}

}  // namespace ghost
