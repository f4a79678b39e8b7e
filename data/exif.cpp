#include "data/exif.h"

#include <utility>

#include "core/error.h"

namespace ghost {
namespace {

// Numbers of either byte order, 0 when out of range: a damaged block then has no orientation.
class TiffReader {
 public:
  explicit TiffReader(std::span<const uint8_t> bytes) : bytes_(bytes) {
    if (bytes.size() < 8) return;
    big_ = bytes[0] == 'M' && bytes[1] == 'M';
    valid_ = (big_ || (bytes[0] == 'I' && bytes[1] == 'I')) && u16(2) == 42;
  }
  bool valid() const { return valid_; }
  uint32_t u16(uint64_t at) const {
    if (at + 2 > bytes_.size()) return 0;
    const uint32_t a = bytes_[at], b = bytes_[at + 1];
    return big_ ? (a << 8 | b) : (b << 8 | a);
  }
  uint32_t u32(uint64_t at) const {
    if (at + 4 > bytes_.size()) return 0;
    return big_ ? (u16(at) << 16 | u16(at + 2)) : (u16(at + 2) << 16 | u16(at));
  }
  uint64_t size() const { return bytes_.size(); }

 private:
  std::span<const uint8_t> bytes_;
  bool big_ = false, valid_ = false;
};

constexpr uint32_t kOrientationTag = 0x0112;
constexpr uint32_t kShort = 3, kLong = 4;
constexpr uint64_t kEntryBytes = 12;

}  // namespace

int exif_orientation(std::span<const uint8_t> tiff) {
  const TiffReader reader(tiff);
  if (!reader.valid()) return 1;
  const uint64_t directory = reader.u32(4);
  const uint64_t entries = reader.u16(directory);
  for (uint64_t i = 0; i < entries; ++i) {
    const uint64_t entry = directory + 2 + i * kEntryBytes;
    if (entry + kEntryBytes > reader.size()) return 1;
    if (reader.u16(entry) != kOrientationTag) continue;
    const uint32_t type = reader.u16(entry + 2);
    const uint32_t value = type == kShort ? reader.u16(entry + 8) : type == kLong ? reader.u32(entry + 8) : 0;
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

void apply_orientation(Image& image, int orientation) {
  GHOST_ASSERT(orientation >= 1 && orientation <= 8);
  if (orientation == 1) return;
  const int w = image.width, h = image.height;
  const ptrdiff_t column = 3, row = ptrdiff_t{3} * w;
  const ptrdiff_t last_column = column * (w - 1), last_row = row * (h - 1);
  // Source position of the upright pixel (x, y): base + x * step_x + y * step_y.
  struct Walk {
    ptrdiff_t base, step_x, step_y;
  };
  const Walk walks[9] = {{},
                         {0, column, row},
                         {last_column, -column, row},
                         {last_column + last_row, -column, -row},
                         {last_row, column, -row},
                         {0, row, column},
                         {last_row, -row, column},
                         {last_column + last_row, -row, -column},
                         {last_column, row, -column}};
  const Walk walk = walks[orientation];
  Image upright(orientation >= 5 ? h : w, orientation >= 5 ? w : h);
  for (int y = 0; y < upright.height; ++y) {
    const uint8_t* from = image.pixels.data() + walk.base + y * walk.step_y;
    uint8_t* to = upright.row(y);
    for (int x = 0; x < upright.width; ++x, from += walk.step_x, to += 3) {
      to[0] = from[0];
      to[1] = from[1];
      to[2] = from[2];
    }
  }
  std::swap(image, upright);
}

}  // namespace ghost
