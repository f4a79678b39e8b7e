#include "train/detect_predict.h"

#include <algorithm>

#include "core/parallel.h"
#include "data/decode.h"
#include "data/preprocess.h"
#include "train/classify_data.h"

namespace ghost {
namespace {

struct Opened {
  Image image;
  Letterbox place;
};

void load(DetectedPicture& found, Opened& loaded, const ModelCard& card, float* out) {
  const Preprocess preprocess = preprocess_of(card.input);
  try {
    read_image(found.path, loaded.image);
    found.width = loaded.image.width;
    found.height = loaded.image.height;
    Image input;
    loaded.place = letterbox(loaded.image, preprocess.size, card.input.letterbox, preprocess.interpolation, input);
    normalize(input, preprocess, out);
  } catch (const Error& error) {
    found.error = error.what();
    std::fill(out, out + int64_t{3} * preprocess.size * preprocess.size, 0.0f);
  }
}

void to_picture(DetectedPicture& found, const Letterbox& place) {
  const Box picture = picture_box(found.width, found.height);
  for (ScoredBox& box : found.boxes) box.box = intersect(place.to_picture(box.box), picture);
  std::erase_if(found.boxes, [](const ScoredBox& box) { return box.box.width() <= 0 || box.box.height() <= 0; });
}

}  // namespace

std::vector<DetectedPicture> detect_pictures(Detector& model, const ModelCard& card, const Device& device,
                                             const std::vector<std::string>& paths, const DecodeBoxesOptions& options,
                                             int64_t batch_size,
                                             const std::function<void(const PictureVisit&)>& visit) {
  const NoGradScope no_grad;
  const int64_t size = card.input.size, count = static_cast<int64_t>(paths.size());
  std::vector<DetectedPicture> results;
  for (const std::string& path : paths) {
    results.emplace_back();
    results.back().path = path;
    results.back().id = static_cast<int64_t>(results.size());
  }
  for (int64_t first = 0; first < count; first += batch_size) {
    const int64_t n = std::min(batch_size, count - first);
    const auto result = [&](int64_t i) -> DetectedPicture& { return results[static_cast<size_t>(first + i)]; };
    const Tensor images({n, size, size, 3});
    std::vector<Opened> loaded(static_cast<size_t>(n));
    parallel_for(n, [&](int64_t i) {
      load(result(i), loaded[static_cast<size_t>(i)], card, images.data<float>() + i * size * size * 3);
    });
    std::vector<Tensor> maps;
    for (const Variable& map : model.forward(Variable(images.to(device)))) maps.push_back(map.value());
    std::vector<std::vector<ScoredBox>> found = detect_boxes(maps, options);
    if (visit)
      for (Tensor& map : maps) map = map.to(Device::cpu());
    parallel_for(n, [&](int64_t i) {
      const Opened& picture = loaded[static_cast<size_t>(i)];
      if (!result(i).error.empty()) return;
      result(i).boxes = std::move(found[static_cast<size_t>(i)]);
      to_picture(result(i), picture.place);
      if (!visit) return;
      std::vector<Tensor> own;
      for (const Tensor& map : maps) own.push_back(map.rows(i, 1));
      visit({picture.image, result(i), std::move(own), picture.place});
    });
  }
  return results;
}

}  // namespace ghost
