#include "train/resume.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "train/checkpoint.h"

namespace ghost {
namespace {

constexpr std::array<std::string_view, 11> kChangeable{"data.train",
                                                       "data.val",
                                                       "data.workers",
                                                       "data.cache",
                                                       "data.cache_limit_mb",
                                                       "train.threads",
                                                       "train.cuda_graph",
                                                       "device",
                                                       "checkpoint.every_epochs",
                                                       "checkpoint.every_minutes",
                                                       "checkpoint.keep"};

}  // namespace

LoadedConfig resumed_config(const std::string& run_folder, const std::vector<std::string>& overrides) {
  const std::filesystem::path last = std::filesystem::path(run_folder) / "checkpoints" / "last.safetensors";
  GHOST_CHECK_AS(kWeights, std::filesystem::exists(last), run_folder,
                 ": no checkpoints/last.safetensors to resume from. Either it is not a "
                 "run folder, or the run was stopped before its first checkpoint: start it anew");
  const std::vector<std::string> joined = join_overrides(overrides);
  for (const std::string& text : joined) {
    const std::string key = text.substr(0, text.find('='));
    GHOST_CHECK(std::find(kChangeable.begin(), kChangeable.end(), key) != kChangeable.end(), "command line: '", key,
                "' cannot change on resume, the run would not be the same one any more. To train on with other "
                "settings, start a new "
                "run with model.weights=",
                run_folder);
  }
  const CheckpointHeader header = read_checkpoint_header(last.string());
  return parse_config({.text = header.config_yaml, .source = last.string(), .folder = run_folder}, joined);
}

}  // namespace ghost
