#include "tests/apps/box_pictures.h"

#include <filesystem>
#include <fstream>

#include "core/random.h"
#include "data/draw.h"
#include "data/image_write.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

struct Object {
  const char* name;
  int left, top, right, bottom;
};

void write_voc(const fs::path& root, const std::string& name, const Image& image, const std::vector<Object>& objects) {
  write_image((root / "JPEGImages" / (name + ".png")).string(), image);
  std::ofstream xml(root / "Annotations" / (name + ".xml"));
  xml << "<annotation><filename>" << name << ".png</filename><size><width>" << image.width << "</width><height>"
      << image.height << "</height><depth>3</depth></size>\n";
  for (const Object& object : objects)
    xml << "<object><name>" << object.name << "</name><difficult>0</difficult><bndbox><xmin>" << object.left
        << "</xmin><ymin>" << object.top << "</ymin><xmax>" << object.right << "</xmax><ymax>" << object.bottom
        << "</ymax></bndbox></object>\n";
  xml << "</annotation>\n";
}

}  // namespace

void make_box_pictures(const std::string& root, int pictures) {
  const fs::path folder = root;
  for (const char* name : {"JPEGImages", "Annotations", "ImageSets/Main"}) fs::create_directories(folder / name);
  std::ofstream train(folder / "ImageSets/Main/train.txt"), val(folder / "ImageSets/Main/val.txt");
  for (int i = 0; i < pictures; ++i) {
    Rng rng(3, static_cast<uint64_t>(i));
    Image image(80 + i % 3 * 8, 64);
    for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(60 + rng.below(60));
    std::vector<Object> objects;
    for (int k = 0; k < 1 + i % 2; ++k) {
      const bool red = rng.chance(0.5f);
      const int left = static_cast<int>(2 + 38 * k + rng.below(10)), top = static_cast<int>(2 + rng.below(30));
      const int width = red ? 24 : 14, height = red ? 16 : 28;
      fill_rect(image, left, top, left + width, top + height, red ? Color{220, 30, 30} : Color{30, 220, 30});
      objects.push_back({red ? "red" : "green", left, top, left + width, top + height});
    }
    const std::string name = "picture " + std::to_string(i);
    write_voc(folder, name, image, objects);
    (i % 4 == 3 ? val : train) << name << "\r\n";
  }
}

}  // namespace ghost
