#include "train/predict.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/parallel.h"
#include "data/decode.h"
#include "train/classify_data.h"
#include "train/csv_field.h"
#include "train/evaluate.h"

namespace ghost {
namespace {

namespace fs = std::filesystem;

// Fills rows of `images` and leaves an error text where a picture cannot be read.
void load_batch(std::vector<Prediction>& predictions, int64_t first, const Preprocess& preprocess,
                const Tensor& images) {
  const int64_t picture = images.numel() / images.dim(0);
  parallel_for(images.dim(0), [&](int64_t i) {
    Prediction& prediction = predictions[static_cast<size_t>(first + i)];
    float* const out = images.data<float>() + i * picture;
    try {
      const Image image = read_image(prediction.path);
      Image cropped;
      resize_and_crop(image, preprocess, cropped);
      normalize(cropped, preprocess, out);
    } catch (const Error& error) {
      prediction.error = error.what();
      std::fill(out, out + picture, 0.0f);
    }
  });
}

void take_answers(Prediction& prediction, const float* logits, int64_t classes, int64_t top) {
  if (!prediction.error.empty()) return;
  const auto [peak, sum] = softmax_sum(logits, classes);
  for (const int64_t k : top_classes(logits, classes, top))
    prediction.top.emplace_back(k, static_cast<float>(std::exp(static_cast<double>(logits[k]) - peak) / sum));
}

}  // namespace

std::vector<Prediction> predict_pictures(Classifier& model, const ModelCard& card, const Device& device,
                                         const std::vector<std::string>& paths, int64_t top, int64_t batch_size) {
  const NoGradScope no_grad;
  const Preprocess preprocess = preprocess_of(card.input);
  const int64_t classes = static_cast<int64_t>(card.classes.size()), count = static_cast<int64_t>(paths.size());
  std::vector<Prediction> predictions;
  for (const std::string& path : paths) predictions.push_back({path, {}, {}});
  for (int64_t first = 0; first < count; first += batch_size) {
    const int64_t size = std::min(batch_size, count - first);
    const Tensor images({size, preprocess.size, preprocess.size, 3});
    load_batch(predictions, first, preprocess, images);
    const Tensor logits = model.forward(Variable(images.to(device))).value().to(Device::cpu());
    for (int64_t i = 0; i < size; ++i)
      take_answers(predictions[static_cast<size_t>(first + i)], logits.data<float>() + i * classes, classes, top);
  }
  return predictions;
}

std::vector<std::string> expand_inputs(const std::vector<std::string>& inputs) {
  std::vector<std::string> paths;
  for (const std::string& input : inputs) {
    if (fs::is_directory(input)) {
      std::vector<std::string> found;
      for (const auto& entry : fs::recursive_directory_iterator(input, fs::directory_options::follow_directory_symlink))
        if (entry.is_regular_file() && has_picture_extension(entry.path().filename().string()))
          found.push_back(entry.path().string());
      GHOST_CHECK_AS(kData, !found.empty(), input, ": no picture (.jpg .jpeg .png .bmp) in this folder");
      std::sort(found.begin(), found.end());
      paths.insert(paths.end(), found.begin(), found.end());
    } else if (!fs::exists(input) && input.find_first_of("*?[") != std::string::npos) {
      glob_t matches{};
      const int status = glob(input.c_str(), 0, nullptr, &matches);
      for (size_t i = 0; status == 0 && i < matches.gl_pathc; ++i) paths.emplace_back(matches.gl_pathv[i]);
      globfree(&matches);
      GHOST_CHECK_AS(kData, status == 0, input, ": no file matches this pattern");
    } else {
      GHOST_CHECK_AS(kData, fs::exists(input), input, ": there is no such picture or folder");
      paths.push_back(input);
    }
  }
  return paths;
}

std::string predictions_json(const std::vector<Prediction>& predictions, const std::vector<std::string>& classes) {
  nlohmann::json list = nlohmann::json::array();
  for (const Prediction& prediction : predictions) {
    nlohmann::json entry = {{"file", prediction.path}};
    if (!prediction.error.empty()) entry["error"] = prediction.error;
    for (const auto& [index, probability] : prediction.top)
      entry["top"].push_back(
          {{"class", classes[static_cast<size_t>(index)]}, {"index", index}, {"probability", probability}});
    list.push_back(entry);
  }
  return list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

std::string predictions_csv(const std::vector<Prediction>& predictions, const std::vector<std::string>& classes) {
  std::string text = "file,class,probability,error\n";
  for (const Prediction& prediction : predictions) {
    const bool known = !prediction.top.empty();
    text += fmt::format("{},{},{},{}\n", csv_field(prediction.path),
                        known ? csv_field(classes[static_cast<size_t>(prediction.top[0].first)]) : "",
                        known ? fmt::format("{}", prediction.top[0].second) : "", csv_field(prediction.error));
  }
  return text;
}

}  // namespace ghost
