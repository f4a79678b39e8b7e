#include <fmt/format.h>

#include <memory>

#include "apps/verbs.h"
#include "data/fashion_mnist.h"
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

}  // namespace

void add_data(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("data", "Makes data sets: ghosttrain data fashion-mnist SRC DST");
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
  fashion->callback([options, &action] { action = [options] { return convert(*options); }; });
}

}  // namespace ghost
