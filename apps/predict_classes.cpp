#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <map>

#include "apps/predict.h"
#include "core/atomic_file.h"
#include "train/log.h"
#include "train/predict.h"

namespace ghost {
namespace {

std::string line_of(const Prediction& prediction, const std::vector<std::string>& classes) {
  std::string text = prediction.path + ":";
  for (const auto& [index, probability] : prediction.top)
    text += fmt::format("  {} {:.1f}%", classes[static_cast<size_t>(index)], 100 * probability);
  return text;
}

}  // namespace

int predict_classes(const PredictOptions& options) {
  const Device device = apply(options.device);
  const std::vector<std::string> paths = expand_inputs(options.inputs);
  const LoadedModel loaded = load_model(options.weights, device);
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Prediction> predictions = predict_pictures(*loaded.model, loaded.card, device, paths, options.top,
                                                               options.batch_size > 0 ? options.batch_size : 32);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  Log log;
  std::map<std::string, int64_t> counts;
  int64_t failed = 0;
  for (const Prediction& prediction : predictions) {
    failed += !prediction.error.empty();
    if (!prediction.error.empty())
      log.warn(prediction.error);
    else
      ++counts[loaded.card.classes[static_cast<size_t>(prediction.top[0].first)]];
    if (prediction.error.empty() && !options.count) log.line(line_of(prediction, loaded.card.classes));
  }
  if (options.count)
    for (const auto& [name, number] : counts) log.line(fmt::format("{:>8}  {}", number, name));
  if (!options.out.empty()) {
    std::filesystem::create_directories(options.out);
    write_file_atomically(options.out + "/predictions.json", predictions_json(predictions, loaded.card.classes));
    write_file_atomically(options.out + "/predictions.csv", predictions_csv(predictions, loaded.card.classes));
  }
  log.line(fmt::format("{} pictures, {:.0f} images/s{}", predictions.size(),
                       static_cast<double>(predictions.size()) / seconds,
                       options.out.empty() ? "" : ", written to " + options.out));
  return failed ? static_cast<int>(ErrorKind::kData) : 0;
}

}  // namespace ghost
