#include <fmt/format.h>

#include <memory>

#include "apps/check.h"
#include "apps/verbs.h"
#include "core/error.h"
#include "data/detection_write.h"
#include "data/fashion_mnist.h"
#include "data/scenes.h"
#include "train/log.h"

namespace ghost {
namespace {

int convert(const FashionMnistOptions& options) {
  const FashionMnistResult result = convert_fashion_mnist(options);
  Log log;
  if (result.existed)
    log.line(options.destination + ": was converted before, nothing to do");
  else
    log.line(fmt::format("{}: {} pictures to train, {} to validate, {} classes", options.destination, result.train,
                         result.val, kFashionClasses.size()));
  return 0;
}

struct ConvertOptions {
  std::vector<std::string> sources;  // name=source
  std::string from, to, destination, class_file;
  bool link = false;
};

int convert_boxes(const ConvertOptions& options) {
  std::vector<DetectionSet> sets;
  std::vector<std::string> names;
  for (const std::string& text : options.sources) {
    const size_t equals = text.find('=');
    GHOST_CHECK(equals != std::string::npos && equals > 0, "data convert: '", text,
                "' is not SPLIT=SOURCE, such as train=path/to/ImageSets/Main/train.txt");
    names.push_back(text.substr(0, equals));
    sets.push_back(open_detection_set({.source = text.substr(equals + 1),
                                       .format = detection_format_from_name(options.from),
                                       .class_file = options.class_file,
                                       .classes = sets.empty() ? std::vector<std::string>{} : sets[0].classes,
                                       .skip_bad = true}));
  }
  std::vector<DetectionSplit> splits;
  for (size_t i = 0; i < sets.size(); ++i) splits.push_back({names[i], &sets[i]});
  const DetectionWriteResult result = write_detection_sets(splits, {.format = detection_format_from_name(options.to),
                                                                    .destination = options.destination,
                                                                    .link_pictures = options.link});
  Log log;
  log.line(fmt::format("{}: {} pictures with {} boxes", options.destination, result.pictures, result.boxes));
  for (const DetectionSet& set : sets)
    list_problems(log, "odd in " + set.source, set.problems,
                  [](const DetectionProblem& problem) { return problem.place + ": " + problem.reason; });
  for (const std::string& lost : result.lost) log.warn(lost);
  return 0;
}

void add_convert(CLI::App& data, Action& action) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* verb = data.add_subcommand(
      "convert", "A detection set to another form: ghosttrain data convert --from voc --to coco DST train=SOURCE ...");
  verb->add_option("destination", options->destination, "folder to make")->required();
  verb->add_option("splits", options->sources, "SPLIT=SOURCE: train=..., val=...")->required();
  verb->add_option("--from", options->from, "voc, coco or yolo")->required();
  verb->add_option("--to", options->to, "voc, coco or yolo")->required();
  verb->add_option("--classes", options->class_file, "class file that fixes the order");
  verb->add_flag("--link", options->link, "hard links instead of copies of the pictures where possible");
  verb->callback([options, &action] { action = [options] { return convert_boxes(*options); }; });
}

int scenes(const ScenesOptions& options) {
  const ScenesResult result = make_scenes(options);
  Log log;
  if (result.existed)
    log.line(options.destination + ": was made before, nothing to do");
  else
    log.line(fmt::format("{}: {} scenes with {} boxes to train, {} with {} to validate; as voc, coco and yolo",
                         options.destination, options.train, result.train_boxes, options.val, result.val_boxes));
  return 0;
}

void add_scenes(CLI::App& data, Action& action) {
  auto options = std::make_shared<ScenesOptions>();
  CLI::App* verb = data.add_subcommand(
      "scenes", "Fashion-MNIST's pictures placed on canvases, a detection set in VOC, COCO and YOLO form");
  verb->add_option("source", options->source, "folder of the four IDX files")->required();
  verb->add_option("destination", options->destination, "folder to make")->required();
  verb->add_option("--train", options->train, "scenes to train")->capture_default_str();
  verb->add_option("--val", options->val, "scenes to validate")->capture_default_str();
  verb->add_flag("--ten-classes", options->scene.ten_classes,
                 "Fashion-MNIST's own classes instead of five kinds: top, trouser, dress, shoe, bag");
  verb->add_option("--size", options->scene.size, "height and width, pixels")->capture_default_str();
  verb->add_option("--seed", options->scene.seed, "of all random numbers")->capture_default_str();
  verb->callback([options, &action] { action = [options] { return scenes(*options); }; });
}

}  // namespace

void add_data(CLI::App& app, Action& action) {
  CLI::App* verb =
      app.add_subcommand("data", "Makes and converts data sets: ghosttrain data fashion-mnist|scenes|convert ...");
  verb->require_subcommand(1);
  auto options = std::make_shared<FashionMnistOptions>();
  CLI::App* fashion =
      verb->add_subcommand("fashion-mnist", "Fashion-MNIST's IDX files to class folders of PNG pictures");
  fashion
      ->add_option("source", options->source,
                   "folder of the four IDX files (Debian: /usr/share/datasets/fashion-mnist)")
      ->required();
  fashion->add_option("destination", options->destination, "folder to make")->required();
  fashion->add_option("--train-per-class", options->train_per_class,
                      "at most so many training pictures of a class; 0: all");
  fashion->add_option("--val-per-class", options->val_per_class,
                      "at most so many validation pictures of a class; 0: all");
  add_convert(*verb, action);
  add_scenes(*verb, action);
  fashion->callback([options, &action] { action = [options] { return convert(*options); }; });
}

}  // namespace ghost
