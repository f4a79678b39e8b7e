// Resize, evaluation's framing and colour operations against Pillow and torchvision (golden/pillow/make_golden.py).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "data/color.h"
#include "data/geometry.h"
#include "data/preprocess.h"
#include "data/resize.h"
#include "pictures.h"

namespace ghost {
namespace {

using nlohmann::json;

const json& golden() {
  static const json data = [] {
    std::ifstream file(GHOST_GOLDEN_DIR "/pillow/pillow.json");
    return json::parse(file);
  }();
  return data;
}

uint32_t checksum(const Image& image) {
  uint32_t value = 2166136261u;
  for (const uint8_t byte : image.pixels) value = (value ^ byte) * 16777619u;
  return value;
}

void expect_equal(const Image& image, const json& wanted) {
  // The means first: they tell how far off a wrong picture is.
  for (size_t c = 0; c < 3; ++c) {
    double sum = 0;
    for (size_t i = c; i < image.pixels.size(); i += 3) sum += image.pixels[i];
    EXPECT_NEAR(sum / (static_cast<double>(image.pixels.size()) / 3), wanted["mean"][c].get<double>(), 1e-4) << wanted;
  }
  EXPECT_EQ(checksum(image), wanted["checksum"].get<uint32_t>()) << wanted;
}

Interpolation filter_of(const json& entry) {
  return entry["filter"] == "bicubic" ? Interpolation::kBicubic : Interpolation::kBilinear;
}

TEST(PillowGolden, Resize) {
  ASSERT_GE(golden()["resize"].size(), 10u);
  for (const json& entry : golden()["resize"]) {
    ResizeOptions options{.width = entry["out"][0], .height = entry["out"][1], .interpolation = filter_of(entry)};
    if (const json& box = entry["box"]; !box.is_null()) options.box = {box[0], box[1], box[2], box[3]};
    Image out;
    resize(formula_picture(entry["size"][0], entry["size"][1]), options, out);
    expect_equal(out, entry);
  }
}

TEST(PillowGolden, EvaluationFraming) {
  ASSERT_GE(golden()["evaluation"].size(), 4u);
  for (const json& entry : golden()["evaluation"]) {
    const Preprocess preprocess{
        .size = entry["crop"], .crop_pct = entry["crop_pct"], .interpolation = filter_of(entry)};
    Image out;
    resize_and_crop(formula_picture(entry["size"][0], entry["size"][1]), preprocess, out);
    expect_equal(out, entry);
  }
}

TEST(PillowGolden, ColourAndGeometry) {
  const Image picture = formula_picture(45, 37);
  Image low = picture;
  for (uint8_t& value : low.pixels) value = static_cast<uint8_t>(value / 3 + 40);
  ASSERT_GE(golden()["operations"].size(), 20u);
  for (const json& entry : golden()["operations"]) {
    const std::string name = entry["operation"];
    const double value = entry["value"];
    const float factor = entry["value"];
    Image image = name == "auto_contrast" || name == "equalize" ? low : picture;
    if (name == "brightness")
      adjust_brightness(image, factor);
    else if (name == "contrast")
      adjust_contrast(image, factor);
    else if (name == "saturation")
      adjust_saturation(image, factor);
    else if (name == "sharpness")
      adjust_sharpness(image, factor);
    else if (name == "hue")
      adjust_hue(image, factor);
    else if (name == "posterize")
      posterize(image, static_cast<int>(value));
    else if (name == "solarize")
      solarize(image, factor);
    else if (name == "auto_contrast")
      auto_contrast(image);
    else if (name == "equalize")
      equalize(image);
    else if (name == "shear_x")
      transform(image, {.b = value});
    else if (name == "shear_y")
      transform(image, {.d = value});
    else if (name == "translate_x")
      transform(image, {.c = -value});
    else if (name == "translate_y")
      transform(image, {.f = -value});
    else if (name == "rotate")
      transform(image, rotation(value, image.width, image.height));
    else
      FAIL() << "unknown operation " << name;
    expect_equal(image, entry);
  }
}

}  // namespace
}  // namespace ghost
