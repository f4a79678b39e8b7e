// A small detection set made here.
#pragma once

#include <string>

namespace ghost {

// VOC form, about 88x64: one or two rectangles, "red" (wide) or "green" (high), on noise. Every fourth picture is in
// ImageSets/Main/val.txt, the others in train.txt.
void make_box_pictures(const std::string& root, int pictures);

}  // namespace ghost
