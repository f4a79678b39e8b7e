// What a run ran on: written beside its results, and what `doctor` prints.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace ghost {

// What this floor cannot know by itself.
struct EnvironmentFacts {
  std::string version;        // of Ghosttrain
  std::string device;         // "cpu", "cuda:0 (NVIDIA ...)"
  std::string image_decoder;  // "libjpeg-turbo, stb_image"
};

// Name and value, in order: version, device, decoder, then date, system, CPU, its features, threads, memory, compiler,
// build.
std::vector<std::pair<std::string, std::string>> describe_environment(const EnvironmentFacts& facts);
// The same as aligned lines.
std::string environment_text(const EnvironmentFacts& facts);

}  // namespace ghost
