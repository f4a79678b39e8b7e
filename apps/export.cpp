#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "apps/verbs.h"
#include "train/log.h"
#include "train/weights.h"

namespace ghost {
namespace {

struct ExportCall {
  std::string weights, to;
};

template <class Model>
void write(Log& log, const Loaded<Model>& loaded, const std::string& to) {
  save_weights(to, *loaded.model, loaded.card);
  log.line(fmt::format("{}: {} tensors of {}, read back and equal; classes and preprocessing are in its metadata", to,
                       loaded.model->state().size(), loaded.path));
  if (loaded.card.model.flavour == "keras")
    log.warn(
        "this network has the keras flavour (padding 'same', eps 1e-3, gate 0.2x+0.5): PyTorch code must be set up the "
        "same way");
}

int run(const ExportCall& options) {
  const std::string extension = std::filesystem::path(options.to).extension().string();
  GHOST_CHECK(extension == ".safetensors", "export: --to '", options.to, "' ends in '", extension,
              "'; .safetensors (names of timm's ghostnet_100, of bubbliiiing's YOLOv4 for detectors) can be written");
  Log log;
  if (task_of(options.weights) == "detect")
    write(log, load_detector(options.weights, Device::cpu()), options.to);
  else
    write(log, load_model(options.weights, Device::cpu()), options.to);
  return 0;
}

}  // namespace

void add_export(CLI::App& app, Action& action) {
  auto options = std::make_shared<ExportCall>();
  CLI::App* verb = app.add_subcommand(
      "export", "Writes weights for other programs: ghosttrain export RUN_FOLDER|WEIGHTS --to FILE.safetensors");
  verb->add_option("weights", options->weights, "run folder or .safetensors")->required();
  verb->add_option("--to", options->to, "the file to write; its ending names the format")->required();
  verb->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace ghost
