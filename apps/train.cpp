#include <memory>

#include "apps/verbs.h"
#include "core/parallel.h"
#include "data/decode.h"
#include "train/batch_advice.h"
#include "train/interrupt.h"
#include "train/resume.h"
#include "train/trainer.h"

namespace ghost {
namespace {

struct TrainCall {
  std::string config, resume;
  std::vector<std::string> overrides;
  bool dry_run = false;
};

int run(const TrainCall& options) {
  GHOST_CHECK(options.config.empty() || options.resume.empty() || options.config.find('=') != std::string::npos,
              "train takes a config file or --resume RUN_FOLDER, not both: a run folder holds its own config");
  Log log;
  std::vector<std::string> overrides = options.overrides;
  std::string path = options.config;
  if (path.find('=') != std::string::npos) {  // `train --resume RUN data.workers=3`: no config file was given
    overrides.insert(overrides.begin(), path);
    path.clear();
  }
  const bool resuming = !options.resume.empty();
  GHOST_CHECK(resuming || !path.empty(), "train needs a config file, or --resume RUN_FOLDER");
  const LoadedConfig loaded =
      resuming ? resumed_config(options.resume, overrides) : load_config(path, join_overrides(overrides));
  for (const std::string& warning : loaded.warnings) log.warn(warning);
  if (loaded.config.train.threads > 0) set_compute_threads(static_cast<int>(loaded.config.train.threads));

  Run run(loaded.config, resuming);
  if (options.dry_run) {
    log.line(run.describe());
    log.line("dry run: config, data and model are in order; nothing was written");
    return 0;
  }
  const InterruptGuard guard;
  const RunFolder folder = resuming ? RunFolder::open(options.resume) : RunFolder::create(run.config);
  log.open_file(folder.log_file());
  if (!resuming) {
    folder.write_classes(run.task->card().classes);
    folder.write_environment({GHOST_VERSION, run.device.name(), jpeg_decoder_name()});
  }
  log.line(run.describe());
  return with_batch_advice(run.config, run.task->card(), [&] {
    Trainer trainer(run, folder, log);
    if (resuming) trainer.resume();
    return trainer.train();
  });
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  auto options = std::make_shared<TrainCall>();
  CLI::App* verb = app.add_subcommand("train", "Trains a model: ghosttrain train CONFIG.yaml [key=value ...]");
  verb->add_option("config", options->config, "YAML config; docs/config.md lists all keys");
  verb->add_option("overrides", options->overrides, "key=value, stronger than the config: train.epochs=3");
  verb->add_option("--resume", options->resume, "go on exactly where the run in this folder stopped");
  verb->add_flag("--dry-run", options->dry_run, "check config, data and model, print the plan, write nothing");
  verb->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace ghost
