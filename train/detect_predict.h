// A detector's boxes for single pictures, with the preprocessing of its weights.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/detection_loader.h"
#include "train/detection_files.h"
#include "train/weights.h"

namespace ghost {

// What to do with a picture that was read and its boxes; called on several threads at once.
struct PictureVisit {
  const Image& image;
  const DetectedPicture& found;
  std::vector<Tensor> maps;  // {1, h, w, 3 * (5 + classes)} on the CPU
  Letterbox place;
};

// One result per path, in order; boxes are cut at the picture's borders, the best first. Pictures that cannot be read
// carry their error and do not stop the others.
std::vector<DetectedPicture> detect_pictures(Detector& model, const ModelCard& card, const Device& device,
                                             const std::vector<std::string>& paths, const DecodeBoxesOptions& options,
                                             int64_t batch_size,
                                             const std::function<void(const PictureVisit&)>& visit = {});

}  // namespace ghost
