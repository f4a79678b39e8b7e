#include "data/picture_header.h"

#include <zlib.h>

#include <cstring>

#include "core/error.h"
#include "data/exif.h"

namespace ghost {
namespace {

using Bytes = std::span<const uint8_t>;

uint32_t big16(Bytes b, size_t at) { return static_cast<uint32_t>(b[at]) << 8 | b[at + 1]; }
uint32_t big32(Bytes b, size_t at) { return big16(b, at) << 16 | big16(b, at + 2); }
uint32_t little16(Bytes b, size_t at) { return static_cast<uint32_t>(b[at + 1]) << 8 | b[at]; }
uint32_t little32(Bytes b, size_t at) { return little16(b, at + 2) << 16 | little16(b, at); }
bool starts_with(Bytes b, const char* text, size_t length) {
  return b.size() >= length && std::memcmp(b.data(), text, length) == 0;
}

constexpr uint8_t kSof0 = 0xC0, kSof2 = 0xC2, kDht = 0xC4, kJpg = 0xC8, kDac = 0xCC, kSof15 = 0xCF;
constexpr uint8_t kRst0 = 0xD0, kRst7 = 0xD7, kSoi = 0xD8, kEoi = 0xD9, kSos = 0xDA, kApp1 = 0xE1, kApp14 = 0xEE,
                  kTem = 0x01;

bool is_frame_header(uint8_t marker) {
  return marker >= kSof0 && marker <= kSof15 && marker != kDht && marker != kJpg && marker != kDac;
}

void read_jpeg_segment(uint8_t marker, Bytes body, PictureHeader& header) {
  if (is_frame_header(marker) && body.size() >= 6 && header.components == 0) {
    header.height = big16(body, 1);
    header.width = big16(body, 3);
    header.components = body[5];
  } else if (marker == kApp1 && starts_with(body, "Exif\0", 6) && header.orientation == 1) {
    header.orientation = exif_orientation(body.subspan(6));
  } else if (marker == kApp14 && starts_with(body, "Adobe", 5)) {
    header.adobe = true;
  }
}

// What stb_image 2.27 takes on trust: it writes past its tables when a Huffman segment claims more than 256 codes, and
// reads one that no segment defined.
class HuffmanTables {
 public:
  // A DHT segment; false when it is damaged.
  bool define(Bytes body) {
    constexpr size_t kHead = 17;  // class and number, then how many codes of each length
    while (!body.empty()) {
      if (body.size() < kHead || (body[0] >> 4) > 1 || (body[0] & 15) > 3) return false;
      size_t codes = 0;
      for (const uint8_t count : body.subspan(1, kHead - 1)) codes += count;
      if (codes > 256 || body.size() < kHead + codes) return false;
      defined_ |= bit(body[0] >> 4, body[0] & 15);
      body = body.subspan(kHead + codes);
    }
    return true;
  }
  // Whether the tables that an SOS segment names are there. A progressive scan uses one class or, refining, none.
  bool serve(Bytes body, bool progressive) const {
    const size_t components = body.empty() ? 0 : body[0];
    if (body.size() < 4 + 2 * components) return false;
    const int first = body[1 + 2 * components], refines = body[3 + 2 * components] >> 4;
    const bool dc = !progressive || (first == 0 && refines == 0), ac = !progressive || first > 0;
    for (size_t i = 0; i < components; ++i) {
      const int tables = body[2 + 2 * i];
      if ((dc && !(defined_ & bit(0, tables >> 4))) || (ac && !(defined_ & bit(1, tables & 15)))) return false;
    }
    return true;
  }

 private:
  static uint32_t bit(int kind, int number) { return 1u << (kind * 16 + number); }
  uint32_t defined_ = 0;
};

// The next marker's position (its 0xFF) from `at` on; stuffed zeros, restart markers and fill bytes are data.
size_t next_marker(Bytes bytes, size_t at) {
  while (at + 1 < bytes.size()) {
    const void* found = std::memchr(bytes.data() + at, 0xFF, bytes.size() - 1 - at);
    if (found == nullptr) return bytes.size();
    at = static_cast<size_t>(static_cast<const uint8_t*>(found) - bytes.data());
    const uint8_t next = bytes[at + 1];
    if (next == 0xFF) {
      ++at;
    } else if (next == 0 || next == kTem || (next >= kRst0 && next <= kRst7)) {
      at += 2;
    } else {
      return at;
    }
  }
  return bytes.size();
}

std::string parse_jpeg(Bytes bytes, PictureHeader& header) {
  header.format = PictureFormat::kJpeg;
  HuffmanTables tables;
  bool has_scan = false, progressive = false;
  size_t at = 2;
  while ((at = next_marker(bytes, at)) + 1 < bytes.size()) {
    const uint8_t marker = bytes[at + 1];
    at += 2;
    if (marker == kEoi) {
      if (header.components == 0) return "a JPEG without a frame header";
      if (header.width == 0 || header.height == 0) return str("a JPEG of size ", header.width, "x", header.height);
      return has_scan ? "" : "a JPEG without picture data";
    }
    if (marker == kSoi) continue;
    if (at + 2 > bytes.size()) break;
    const size_t length = big16(bytes, at);
    if (length < 2) return str("a damaged JPEG: segment length ", length, " at byte ", at);
    if (at + length > bytes.size()) break;
    const Bytes body = bytes.subspan(at + 2, length - 2);
    if (marker == kDht && !tables.define(body)) return str("a damaged JPEG: Huffman table at byte ", at);
    if (marker == kSos) header.has_tables = header.has_tables && tables.serve(body, progressive);
    progressive = progressive || marker == kSof2;
    read_jpeg_segment(marker, body, header);
    has_scan = has_scan || marker == kSos;
    at += length;
  }
  return str("a truncated JPEG: no end marker in ", bytes.size(), " bytes");
}

std::string parse_png(Bytes bytes, PictureHeader& header) {
  header.format = PictureFormat::kPng;
  constexpr size_t kFrame = 12;  // length, type, CRC
  bool has_data = false;
  for (size_t at = 8; at + kFrame <= bytes.size();) {
    const size_t length = big32(bytes, at);
    if (length > bytes.size() - at - kFrame) break;
    const Bytes type = bytes.subspan(at + 4, 4), body = bytes.subspan(at + 8, length);
    const uLong crc = crc32_z(0, type.data(), 4 + length);
    if (crc != big32(bytes, at + 8 + length)) return str("a damaged PNG: wrong CRC in the chunk at byte ", at);
    if (at == 8) {
      if (!starts_with(type, "IHDR", 4) || length != 13) return "a damaged PNG: it does not begin with IHDR";
      header.width = big32(body, 0);
      header.height = big32(body, 4);
      if (header.width == 0 || header.height == 0) return str("a PNG of size ", header.width, "x", header.height);
    }
    if (starts_with(type, "eXIf", 4)) header.orientation = exif_orientation(body);
    has_data = has_data || starts_with(type, "IDAT", 4);
    if (starts_with(type, "IEND", 4)) return has_data ? "" : "a PNG without picture data";
    at += kFrame + length;
  }
  return str("a truncated PNG: no end chunk in ", bytes.size(), " bytes");
}

std::string parse_bmp(Bytes bytes, PictureHeader& header) {
  header.format = PictureFormat::kBmp;
  if (bytes.size() < 26) return str("a truncated BMP: ", bytes.size(), " bytes");
  const uint32_t offset = little32(bytes, 10), info = little32(bytes, 14);
  const bool core = info == 12;
  if (!core && (info < 40 || bytes.size() < 54)) return str("a damaged or truncated BMP: header of ", info, " bytes");
  const int64_t width = core ? little16(bytes, 18) : static_cast<int32_t>(little32(bytes, 18));
  const int64_t height = core ? little16(bytes, 20) : static_cast<int32_t>(little32(bytes, 22));
  const int64_t bits = little16(bytes, core ? 24 : 28);
  const uint32_t compression = core ? 0 : little32(bytes, 30);
  if (compression != 0 && compression != 3) return "a compressed BMP (run length or embedded); save it uncompressed";
  header.width = width;
  header.height = height < 0 ? -height : height;  // negative: rows run top to bottom
  if (width <= 0 || height == 0) return str("a BMP of size ", width, "x", height);
  const int64_t needed = offset + (width * bits + 31) / 32 * 4 * header.height;
  if (needed > static_cast<int64_t>(bytes.size())) return str("a truncated BMP: ", bytes.size(), " bytes of ", needed);
  return "";
}

}  // namespace

std::string parse_picture_header(std::span<const uint8_t> bytes, PictureHeader& header) {
  header = {};
  if (bytes.empty()) return "the file is empty (0 bytes)";
  if (starts_with(bytes, "\xFF\xD8\xFF", 3)) return parse_jpeg(bytes, header);
  if (starts_with(bytes, "\x89PNG\r\n\x1A\n", 8)) return parse_png(bytes, header);
  if (starts_with(bytes, "BM", 2)) return parse_bmp(bytes, header);
  return str("not a JPEG, PNG or BMP picture (", bytes.size(), " bytes)");
}

}  // namespace ghost
