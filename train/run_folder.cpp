#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/atomic_file.h"
#include "core/error.h"

namespace ghost {
namespace fs = std::filesystem;
namespace {

std::string time_text(std::time_t now) {
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof(text), "%Y%m%d-%H%M%S", &parts));
}

void make_folders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  GHOST_CHECK_AS(kDisk, !error, "could not make the folder '", path.string(), "': ", error.message(),
                 ". Choose another one with output=...");
}

// Makes one new folder; false where the name is taken, by whatever.
bool make_new_folder(const fs::path& path) {
  std::error_code error;
  const bool made = fs::create_directory(path, error);
  GHOST_CHECK_AS(kDisk, !error || error == std::errc::file_exists || fs::exists(path), "could not make the folder '",
                 path.string(), "': ", error.message(), ". Choose another one with output=...");
  return made;
}

std::string new_numbered_folder(const Config& config, std::time_t now) {
  const fs::path base = fs::path(config.output) / (config.model.name + "-" + time_text(now));
  fs::path path = base;
  for (int number = 2; !make_new_folder(path); ++number) path = base.string() + "-" + std::to_string(number);
  return path.string();
}

std::string new_named_folder(const Config& config) {
  const fs::path path = fs::path(config.output) / config.run_name;
  if (make_new_folder(path)) return path.string();
  GHOST_CHECK(fs::is_directory(path), "'", path.string(), "' exists and is no folder. Give another run_name.");
  GHOST_CHECK(fs::is_empty(path), "run folder '", path.string(),
              "' exists and is not empty. Give another run_name, or go on with that run: --resume ", path.string());
  return path.string();
}

// "epoch-0010.safetensors" -> 10; -1 for other names.
int64_t epoch_of(const std::string& name) {
  constexpr std::string_view kBefore = "epoch-", kAfter = ".safetensors";
  if (!name.starts_with(kBefore) || !name.ends_with(kAfter) || name.size() <= kBefore.size() + kAfter.size()) return -1;
  const std::string digits = name.substr(kBefore.size(), name.size() - kBefore.size() - kAfter.size());
  if (digits.size() > 9 || digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::stoll(digits);
}

std::string read_pid(int file) {
  char text[32];
  const ssize_t count = ::pread(file, text, sizeof(text), 0);
  std::string pid(text, static_cast<size_t>(std::max<ssize_t>(count, 0)));
  pid = pid.substr(0, pid.find_first_not_of("0123456789"));
  return pid.empty() ? "unknown" : pid;
}

}  // namespace

RunFolder::RunFolder(std::string path) : path_(std::move(path)) {
  lock();
  for (const std::string& folder : {path_ + "/checkpoints", path_ + "/plots"}) {
    make_folders(folder);
    remove_unfinished_files(folder);
  }
  remove_unfinished_files(path_);
}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

RunFolder RunFolder::create(const Config& config, std::time_t now) {
  make_folders(config.output);
  RunFolder folder(config.run_name.empty() ? new_numbered_folder(config, now) : new_named_folder(config));
  folder.write_config(config);
  return folder;
}

RunFolder RunFolder::open(const std::string& path) {
  GHOST_CHECK(fs::is_directory(path), "'", path, "' is no folder. A run's folder holds config.yaml and checkpoints/.");
  GHOST_CHECK(fs::exists(path + "/config.yaml"), "'", path, "' holds no config.yaml, so it is no run's folder.");
  return RunFolder(path);
}

void RunFolder::lock() {
  const std::string path = file("lock");
  const int handle = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  GHOST_CHECK_AS(kDisk, handle >= 0, "could not open '", path, "': ", std::strerror(errno));
  if (::flock(handle, LOCK_EX | LOCK_NB) != 0) {
    const int error_number = errno;
    const std::string pid = read_pid(handle);
    ::close(handle);
    GHOST_CHECK(error_number != EWOULDBLOCK, "run folder '", path_, "' is in use by process ", pid,
                ". Wait for it, end it, or use another run folder.");
    GHOST_FAIL(kDisk, "could not lock '", path, "': ", std::strerror(error_number),
               ". Two processes on one run would damage it; choose an output on a file system with locks.");
  }
  lock_ = handle;
  const std::string pid = str(::getpid(), "\n");
  // The pid only serves a message; the lock holds without it.
  [[maybe_unused]] const bool noted =
      ::ftruncate(lock_, 0) == 0 && ::pwrite(lock_, pid.data(), pid.size(), 0) == static_cast<ssize_t>(pid.size());
}

std::string RunFolder::epoch_checkpoint(int64_t epoch) const {
  char name[64];
  std::snprintf(name, sizeof(name), "checkpoints/epoch-%04lld.safetensors", static_cast<long long>(epoch));
  return file(name);
}

void RunFolder::write_config(const Config& config) const { write_file_atomically(config_file(), to_yaml(config)); }

void RunFolder::write_classes(const std::vector<std::string>& names) const {
  std::string text;
  for (const std::string& name : names) text += name + '\n';
  write_file_atomically(file("classes.txt"), text);
}

void RunFolder::write_environment(const EnvironmentFacts& facts) const {
  write_file_atomically(file("environment.txt"), environment_text(facts));
}

std::vector<std::string> RunFolder::prune_checkpoints(int64_t keep) const {
  std::vector<std::pair<int64_t, std::string>> numbered;
  for (const fs::directory_entry& entry : fs::directory_iterator(file("checkpoints"))) {
    const int64_t epoch = epoch_of(entry.path().filename().string());
    if (epoch >= 0 && entry.is_regular_file()) numbered.emplace_back(epoch, entry.path().string());
  }
  std::sort(numbered.begin(), numbered.end());
  std::vector<std::string> removed;
  for (size_t i = 0; i + static_cast<size_t>(keep) < numbered.size(); ++i) {
    std::error_code ignored;  // a checkpoint that stays costs space, not results
    if (fs::remove(numbered[i].second, ignored)) removed.push_back(numbered[i].second);
  }
  return removed;
}

}  // namespace ghost
