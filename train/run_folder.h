// A run's folder: all that a run reads to go on and all that it writes.
//
//   config.yaml  classes.txt  environment.txt  metrics.csv  log.txt  lock
//   checkpoints/last.safetensors  best.safetensors  epoch-0010.safetensors
//   plots/
//
// One process at a time: a kernel lock on the file `lock` is held while a RunFolder lives. The kernel drops it when the
// process ends in whatever way, so there are no stale locks.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

#include "train/config.h"
#include "train/environment.h"

namespace ghost {

class RunFolder {
 public:
  // Makes <output>/<run_name>, or <output>/<model>-<date>-<time>, with -2, -3 ... added where that exists, and writes
  // config.yaml. kUsage where a given run_name has content already, kDisk where the folder cannot be made.
  static RunFolder create(const Config& config, std::time_t now = std::time(nullptr));
  // Takes an existing run's folder and clears what a kill left half-written. kUsage where it is none, or where another
  // process holds it (its pid is named).
  static RunFolder open(const std::string& path);

  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;
  ~RunFolder();

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string config_file() const { return file("config.yaml"); }
  std::string metrics_file() const { return file("metrics.csv"); }
  std::string log_file() const { return file("log.txt"); }
  std::string plot_file(const std::string& name) const { return file("plots/" + name); }
  std::string last_checkpoint() const { return file("checkpoints/last.safetensors"); }
  std::string best_checkpoint() const { return file("checkpoints/best.safetensors"); }
  std::string epoch_checkpoint(int64_t epoch) const;

  void write_config(const Config& config) const;
  // One name per line, in the order of the indices.
  void write_classes(const std::vector<std::string>& names) const;
  void write_environment(const EnvironmentFacts& facts) const;

  // Removes the numbered checkpoints but for the `keep` newest. Returns what was removed.
  std::vector<std::string> prune_checkpoints(int64_t keep) const;

 private:
  explicit RunFolder(std::string path);
  void lock();

  std::string path_;
  int lock_ = -1;
};

}  // namespace ghost
