#include "apps/predict.h"

#include <memory>

#include "apps/verbs.h"
#include "train/weights.h"

namespace ghost {

void add_predict(CLI::App& app, Action& action) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* verb = app.add_subcommand(
      "predict", "Names what pictures show, or finds and draws the objects: ghosttrain predict WEIGHTS INPUT ...");
  verb->add_option("weights", options->weights, "run folder or .safetensors")->required();
  verb->add_option("inputs", options->inputs, "pictures, folders or patterns")->required();
  verb->add_option("--out", options->out, "folder for the results: tables, and pictures with boxes drawn");
  verb->add_option("--batch-size", options->batch_size, "pictures at a time; 0: 32 to classify, 8 to detect")
      ->check(CLI::Range(0, 4096));
  verb->add_flag("--count", options->count, "print how many of each class there are instead of a line per picture");
  verb->add_option("--top", options->top, "classifier: classes to show per picture")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  verb->add_option("--score", options->score, "detector: lowest score of a box")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  verb->add_option("--iou", options->iou, "detector: a box that overlaps a better one of its class by more is dropped")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  verb->add_option("--max-boxes", options->max_boxes, "detector: most boxes per picture")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  verb->add_option("--format", options->format, "detector: tables to write, of json (COCO results), csv, voc, yolo")
      ->capture_default_str();
  verb->add_flag("--crop", options->crop, "detector: also cut out every object");
  verb->add_flag("--heat-map", options->heat_map, "detector: also draw where it sees objects");
  verb->add_flag("--no-pictures", options->no_pictures, "detector: tables only");
  add_device_options(*verb, options->device);
  verb->callback([options, &action] {
    action = [options] {
      return task_of(options->weights) == "detect" ? predict_boxes(*options) : predict_classes(*options);
    };
  });
}

}  // namespace ghost
