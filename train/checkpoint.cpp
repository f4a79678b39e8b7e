#include "train/checkpoint.h"

#include <nlohmann/json.hpp>

namespace ghost {
namespace {

using Json = nlohmann::json;

constexpr const char* kState = "ghosttrain.state";
constexpr const char* kConfig = "ghosttrain.config";

// Lists the members once, for writing and reading.
template <class State, class Visit>
void for_each_member(State& state, const Visit& visit) {
  visit("epoch", state.epoch);
  visit("step_in_epoch", state.step_in_epoch);
  visit("step", state.step);
  visit("sums", state.sums);
  visit("norm_sum", state.norm_sum);
  visit("seconds", state.seconds);
  visit("epoch_seconds", state.epoch_seconds);
  visit("corrupt_samples", state.corrupt_samples);
  visit("best_metric", state.best_metric);
  visit("best_epoch", state.best_epoch);
}

const std::string& text_of(const SafetensorsReader& file, const char* key) {
  const auto found = file.metadata().find(key);
  GHOST_CHECK_AS(kWeights, found != file.metadata().end() && file.has_checksums(), file.path(),
                 ": is not a checkpoint (no '", key,
                 "'); training can be resumed from checkpoints/last.safetensors of a run");
  return found->second;
}

void append(std::vector<NamedTensor>& all, const std::vector<NamedTensor>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

void save_checkpoint(const std::string& path, const CheckpointParts& parts, const TrainingState& state,
                     const ModelCard& card, const std::string& config_yaml) {
  std::vector<NamedTensor> tensors = with_prefix("model.", parts.module.state());
  append(tensors, parts.optimizer.state("optimizer."));
  if (parts.ema) append(tensors, parts.ema->state("ema."));
  require_all_finite(tensors, path);
  std::map<std::string, std::string> metadata = to_metadata(card);
  Json json = Json::object();
  for_each_member(state, [&](const char* name, const auto& value) { json[name] = value; });
  metadata[kState] = json.dump();
  metadata[kConfig] = config_yaml;
  write_safetensors(path, tensors, metadata);
}

TrainingState load_checkpoint(const std::string& path, const CheckpointParts& parts) {
  const SafetensorsReader file(path);
  TrainingState state;
  try {
    Json json = Json::parse(text_of(file, kState));
    // Before there were detectors the loss stood alone.
    if (json.contains("loss_sum")) json["sums"] = {json.at("loss_sum")};
    for_each_member(state, [&](const char* name, auto& value) { json.at(name).get_to(value); });
  } catch (const Json::exception& error) {
    GHOST_FAIL(kWeights, path, ": its training state is damaged (", error.what(), ")");
  }
  for (const std::string& name : file.names()) file.read(name);
  load_weights(parts.module, file, "model.", false);
  parts.optimizer.restore(file, "optimizer.", state.step);
  if (parts.ema) parts.ema->restore(file, "ema.");
  return state;
}

CheckpointHeader read_checkpoint_header(const std::string& path) {
  const SafetensorsReader file(path);
  return {text_of(file, kConfig), card_of(file)};
}

}  // namespace ghost
