#include "train/environment.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>

#include "core/error.h"
#include "core/parallel.h"

namespace ghost {
namespace {

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

// Those the run-time dispatch looks at.
std::string cpu_features() {
  std::string list;
#if defined(__x86_64__)
  const auto add = [&](const char* name, bool has) {
    if (has) list += std::string(list.empty() ? "" : " ") + name;
  };
  add("sse4.2", __builtin_cpu_supports("sse4.2"));
  add("avx", __builtin_cpu_supports("avx"));
  add("avx2", __builtin_cpu_supports("avx2"));
  add("fma", __builtin_cpu_supports("fma"));
  add("avx512f", __builtin_cpu_supports("avx512f"));
  add("avx512bw", __builtin_cpu_supports("avx512bw"));
  add("avx512vl", __builtin_cpu_supports("avx512vl"));
  add("avx512vnni", __builtin_cpu_supports("avx512vnni"));
  add("avx512bf16", __builtin_cpu_supports("avx512bf16"));
#endif
  return list.empty() ? "none asked for" : list;
}

std::string date_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &parts));
}

std::string system_text() {
  utsname names{};
  return ::uname(&names) == 0 ? str(names.sysname, " ", names.release, " ", names.machine) : "unknown";
}

std::string compiler_text() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string build_text() {
#if defined(NDEBUG)
  std::string text = "release";
#else
  std::string text = "with assertions";
#endif
#if defined(GHOST_WITH_CUDA)
  text += ", with CUDA";
#else
  text += ", without CUDA";
#endif
  return text;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> describe_environment(const EnvironmentFacts& facts) {
  const int64_t memory = static_cast<int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
  return {{"ghosttrain", facts.version},
          {"device", facts.device},
          {"image decoder", facts.image_decoder},
          {"date", date_text()},
          {"system", system_text()},
          {"cpu", cpu_name()},
          {"cpu features", cpu_features()},
          {"compute threads", std::to_string(compute_threads())},
          {"memory", str(memory >> 20, " MiB")},
          {"compiler", compiler_text()},
          {"build", build_text()}};
}

std::string environment_text(const EnvironmentFacts& facts) {
  std::string text;
  for (const auto& [name, value] : describe_environment(facts)) {
    constexpr size_t kColumn = 17;
    text += name + std::string(kColumn - std::min(kColumn - 1, name.size()), ' ') + value + '\n';
  }
  return text;
}

}  // namespace ghost
