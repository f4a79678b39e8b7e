// ghosttrain: one program, one verb per task. The only place that turns errors into exit codes.
#include <cstdio>
#include <exception>
#include <new>

#include "apps/verbs.h"
#include "core/error.h"

namespace ghost {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done, 1 bug in ghosttrain, 2 usage or config, 3 data, 4 weights or checkpoint, 5 device or memory,\n"
    "6 non-finite loss, 7 disk, 130 SIGINT, 143 SIGTERM (both after a checkpoint).\n"
    "GHOSTTRAIN_THREADS sets the number of compute threads.";

int run(int argc, char** argv) {
  CLI::App app{"Trains GhostNet and MobileNet classifiers on image folders, and YOLOv4 detectors on top of them.",
               "ghosttrain"};
  app.set_version_flag("--version", "ghosttrain " GHOST_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  Action action;
  for (const auto add :
       {add_train, add_val, add_predict, add_export, add_info, add_check, add_anchors, add_bench, add_data, add_doctor})
    add(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ErrorKind::kUsage);
  }
  return action();
}

int guarded(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(error.kind());
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "error: out of memory; lower train.batch_size or input.size\n");
    return static_cast<int>(ErrorKind::kDevice);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\nThis is a bug in Ghosttrain, please report it.\n", error.what());
    return static_cast<int>(ErrorKind::kInternal);
  }
}

}  // namespace
}  // namespace ghost

int main(int argc, char** argv) { return ghost::guarded(argc, argv); }
