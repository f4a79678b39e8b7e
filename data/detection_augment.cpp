#include "data/detection_augment.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "data/draw.h"
#include "data/geometry.h"

namespace ghost {
namespace {

constexpr Color kGrey{128, 128, 128};
constexpr std::array<double, 2> kMosaicScale{0.4, 1.0}, kMosaicMeeting{0.3, 0.7};

double uniform(Rng& rng, double low, double high) { return low + (high - low) * static_cast<double>(rng.uniform()); }

// OpenCV's 8-bit HSV: hue in half degrees.
void scale_hsv(uint8_t* rgb, float hue_factor, float saturation_factor, float value_factor) {
  const float r = rgb[0], g = rgb[1], b = rgb[2];
  const float high = std::max({r, g, b}), low = std::min({r, g, b}), range = high - low;
  float hue = 0;  // sixths of the circle
  if (range > 0) {
    if (high == r)
      hue = (g - b) / range + (g < b ? 6.0f : 0.0f);
    else if (high == g)
      hue = (b - r) / range + 2;
    else
      hue = (r - g) / range + 4;
  }
  hue *= hue_factor;
  if (hue >= 6) hue -= 6;
  const float saturation = high > 0 ? std::min(range / high * saturation_factor, 1.0f) : 0.0f;
  const float value = std::min(high * value_factor, 255.0f);
  const int sector = static_cast<int>(hue);
  const float part = hue - static_cast<float>(sector);
  const float p = value * (1 - saturation), q = value * (1 - saturation * part),
              t = value * (1 - saturation * (1 - part));
  const float table[6][3] = {{value, t, p}, {q, value, p}, {p, value, t}, {p, q, value}, {t, p, value}, {value, p, q}};
  for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>(table[sector][c] + 0.5f);
}

}  // namespace

void check_detection_augment(const DetectionAugmentOptions& o) {
  const auto probability = [](double value) { return value >= 0 && value <= 1; };
  GHOST_CHECK(o.jitter >= 0 && o.jitter < 1, "jitter ", o.jitter, " is not in [0, 1)");
  GHOST_CHECK(o.scale[0] > 0 && o.scale[0] <= o.scale[1], "scale [", o.scale[0], ", ", o.scale[1],
              "] needs 0 < smallest <= largest");
  GHOST_CHECK(probability(o.flip) && probability(o.mosaic) && probability(o.mixup),
              "flip, mosaic and mixup are probabilities, got ", o.flip, ", ", o.mosaic, ", ", o.mixup);
  GHOST_CHECK(probability(o.hue) && probability(o.saturation) && probability(o.value),
              "hue, saturation and value lie in 0..1, got ", o.hue, ", ", o.saturation, ", ", o.value);
  GHOST_CHECK(o.min_box >= 0, "min_box ", o.min_box, " is below 0");
  for (const int size : o.sizes)
    GHOST_CHECK(size >= 32 && size % 32 == 0, "input size ", size, " is not a multiple of 32");
}

void DetectionCanvas::clear(int size) {
  image_.resize(size, size);
  fill_rect(image_, 0, 0, size, size, kGrey);
  boxes_.clear();
}

DetectionCanvas::Placement DetectionCanvas::random_size(const Image& image, const std::array<double, 2>& scale,
                                                        const DetectionAugmentOptions& o, Rng& rng) const {
  const double jitter = uniform(rng, 1 - o.jitter, 1 + o.jitter) / uniform(rng, 1 - o.jitter, 1 + o.jitter);
  const double ratio = jitter * image.width / image.height;
  const double longer = uniform(rng, scale[0], scale[1]) * image_.width;
  const auto whole = [](double side) { return std::max(1, static_cast<int>(std::min(side, 16384.0))); };
  Placement placement;
  placement.width = whole(ratio < 1 ? longer * ratio : longer);
  placement.height = whole(ratio < 1 ? longer : longer / ratio);
  placement.mirrored = static_cast<double>(rng.uniform()) < o.flip;
  return placement;
}

void DetectionCanvas::place(const LabelledPicture& picture, const Placement& p, const Rect& clip, double min_box,
                            Interpolation interpolation) {
  const Rect shown{std::max(clip.left, p.left), std::max(clip.top, p.top), std::min(clip.right, p.left + p.width),
                   std::min(clip.bottom, p.top + p.height)};
  if (shown.left >= shown.right || shown.top >= shown.bottom) return;
  const int from_left = p.mirrored ? p.left + p.width - shown.right : shown.left - p.left;
  resize(*picture.image,
         {.width = p.width,
          .height = p.height,
          .interpolation = interpolation,
          .window = {from_left, shown.top - p.top, shown.right - shown.left, shown.bottom - shown.top}},
         scratch_);
  if (p.mirrored) flip_horizontal(scratch_);
  paste(image_, scratch_, shown.left, shown.top);

  const double scale_x = static_cast<double>(p.width) / picture.image->width;
  const double scale_y = static_cast<double>(p.height) / picture.image->height;
  const Box inside{static_cast<double>(clip.left), static_cast<double>(clip.top), static_cast<double>(clip.right),
                   static_cast<double>(clip.bottom)};
  for (const BoxLabel& label : *picture.boxes) {
    if (label.difficult || label.crowd) continue;
    Box box{label.box.left * scale_x, label.box.top * scale_y, label.box.right * scale_x, label.box.bottom * scale_y};
    if (p.mirrored) box = {p.width - box.right, box.top, p.width - box.left, box.bottom};
    box = intersect({box.left + p.left, box.top + p.top, box.right + p.left, box.bottom + p.top}, inside);
    if (box.width() > 0 && box.height() > 0 && box.width() >= min_box && box.height() >= min_box)
      boxes_.push_back({box, label.label});
  }
}

void DetectionCanvas::add_single(const LabelledPicture& picture, const DetectionAugmentOptions& o,
                                 Interpolation interpolation, Rng& rng) {
  Placement p = random_size(*picture.image, o.scale, o, rng);
  const auto somewhere = [&](int side) { return static_cast<int>(uniform(rng, 0, image_.width - side)); };
  p.left = somewhere(p.width);
  p.top = somewhere(p.height);
  place(picture, p, {0, 0, image_.width, image_.height}, o.min_box, interpolation);
}

void DetectionCanvas::add_mosaic(const std::array<LabelledPicture, 4>& pictures, const DetectionAugmentOptions& o,
                                 Interpolation interpolation, Rng& rng) {
  const int size = image_.width;
  const int x = static_cast<int>(size * uniform(rng, kMosaicMeeting[0], kMosaicMeeting[1]));
  const int y = static_cast<int>(size * uniform(rng, kMosaicMeeting[0], kMosaicMeeting[1]));
  for (size_t i = 0; i < pictures.size(); ++i) {
    const bool left = i < 2, top = i == 0 || i == 3;
    Placement p = random_size(*pictures[i].image, kMosaicScale, o, rng);
    p.left = left ? x - p.width : x;
    p.top = top ? y - p.height : y;
    place(pictures[i], p, {left ? 0 : x, top ? 0 : y, left ? x : size, top ? y : size}, o.min_box, interpolation);
  }
}

void DetectionCanvas::change_colors(const DetectionAugmentOptions& o, Rng& rng) {
  const auto factor = [&](double strength) { return static_cast<float>(uniform(rng, 1 - strength, 1 + strength)); };
  const float hue = factor(o.hue), saturation = factor(o.saturation), value = factor(o.value);
  if (o.hue == 0 && o.saturation == 0 && o.value == 0) return;
  for (size_t i = 0; i < image_.pixels.size(); i += 3) scale_hsv(&image_.pixels[i], hue, saturation, value);
}

void DetectionCanvas::mix(const DetectionCanvas& other) {
  GHOST_ASSERT(other.image_.width == image_.width, "canvases of two sizes");
  for (size_t i = 0; i < image_.pixels.size(); ++i)
    image_.pixels[i] = static_cast<uint8_t>((image_.pixels[i] + other.image_.pixels[i] + 1) / 2);
  boxes_.insert(boxes_.end(), other.boxes_.begin(), other.boxes_.end());
}

}  // namespace ghost
