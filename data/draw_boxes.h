// Boxes with names on pictures.
#pragma once

#include <string>
#include <vector>

#include "core/box.h"
#include "data/detection_loader.h"
#include "data/draw.h"

namespace ghost {

// A class's colour: bright, the same in every picture, far from its neighbours'.
Color class_color(int64_t label);

// An outline and its caption on a bar of the same colour, in black or white, whichever reads better; cut at the
// borders. Lines and letters grow with the picture.
void draw_box(Image& image, const Box& box, const std::string& caption, const Color& color);

// The first pictures of a batch with their boxes and class names, for a look before training goes on.
Image batch_boxes_mosaic(const DetectionBatch& batch, const std::vector<std::string>& classes,
                         const Preprocess& preprocess, int max_pictures = 9);

}  // namespace ghost
