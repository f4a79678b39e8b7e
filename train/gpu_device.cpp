#include "train/gpu_device.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json_unique.h"
#include "train/suggest.h"

namespace ghost {
namespace {

using Json = nlohmann::ordered_json;

// The first 23 keys are cuDNN's. Of the makers' data sheets: SXM boards, dense products (no sparsity), 16-bit products
// with fp32 sums; totalGlobalMem is what the runtime reports, a little less than is soldered.
constexpr std::string_view kH100 = R"({
  "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "regsPerBlock": 65536,
  "multiProcessorCount": 132, "warpSize": 32, "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448,
  "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536, "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024,
  "maxThreadsPerSM": 2048, "pciDeviceId": 0, "isTccDriver": 0, "supportCoopLaunch": 1, "totalGlobalMem": 85000000000,
  "smClockRateKHz": 1980000, "memClockRateKHz": 2619000, "l2CacheSize": 52428800, "cudaDeviceId": 0, "deviceVer": 900,
  "driverVer": 13000, "deviceName": "NVIDIA H100 80GB HBM3",
  "memoryBandwidth": 3.35e12, "peakFlops": {"fp32": 66.9e12, "tf32": 494.7e12, "bf16": 989.4e12, "fp16": 989.4e12}
})";
constexpr std::string_view kA100 = R"({
  "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "regsPerBlock": 65536,
  "multiProcessorCount": 108, "warpSize": 32, "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 166912,
  "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536, "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024,
  "maxThreadsPerSM": 2048, "pciDeviceId": 0, "isTccDriver": 0, "supportCoopLaunch": 1, "totalGlobalMem": 85000000000,
  "smClockRateKHz": 1410000, "memClockRateKHz": 1593000, "l2CacheSize": 41943040, "cudaDeviceId": 0, "deviceVer": 800,
  "driverVer": 13000, "deviceName": "NVIDIA A100-SXM4-80GB",
  "memoryBandwidth": 2.039e12, "peakFlops": {"fp32": 19.5e12, "tf32": 156e12, "bf16": 312e12, "fp16": 312e12}
})";
constexpr std::string_view kRtx4090 = R"({
  "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "regsPerBlock": 65536,
  "multiProcessorCount": 128, "warpSize": 32, "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 101376,
  "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536, "maxCtasPerSM": 24, "maxThreadsPerBlock": 1024,
  "maxThreadsPerSM": 1536, "pciDeviceId": 0, "isTccDriver": 0, "supportCoopLaunch": 1, "totalGlobalMem": 25390000000,
  "smClockRateKHz": 2520000, "memClockRateKHz": 10501000, "l2CacheSize": 75497472, "cudaDeviceId": 0, "deviceVer": 890,
  "driverVer": 13000, "deviceName": "NVIDIA GeForce RTX 4090",
  "memoryBandwidth": 1.008e12, "peakFlops": {"fp32": 82.6e12, "tf32": 82.6e12, "bf16": 165.2e12, "fp16": 165.2e12}
})";
constexpr std::string_view kRtx5090 = R"({
  "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "regsPerBlock": 65536,
  "multiProcessorCount": 170, "warpSize": 32, "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 101376,
  "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536, "maxCtasPerSM": 24, "maxThreadsPerBlock": 1024,
  "maxThreadsPerSM": 1536, "pciDeviceId": 0, "isTccDriver": 0, "supportCoopLaunch": 1, "totalGlobalMem": 33680000000,
  "smClockRateKHz": 2407000, "memClockRateKHz": 14001000, "l2CacheSize": 100663296, "cudaDeviceId": 0,
  "deviceVer": 1200, "driverVer": 13000, "deviceName": "NVIDIA GeForce RTX 5090",
  "memoryBandwidth": 1.792e12, "peakFlops": {"fp32": 104.8e12, "tf32": 104.8e12, "bf16": 209.5e12, "fp16": 209.5e12}
})";
constexpr std::pair<std::string_view, std::string_view> kGpus[] = {
    {"h100", kH100}, {"a100", kA100}, {"rtx4090", kRtx4090}, {"rtx5090", kRtx5090}};

constexpr size_t kCudnnKeys = 23;

// What a value must be, and says so.
bool same_kind(const Json& value, const Json& like) {
  if (like.is_string()) return value.is_string();
  if (like.is_number_float()) return value.is_number() && value.get<double>() > 0;
  if (like.is_number()) return value.is_number_integer() && value.get<double>() >= 0;
  if (!value.is_array() || value.size() != like.size()) return false;
  return std::all_of(value.begin(), value.end(), [](const Json& v) { return v.is_number_integer() && v > 0; });
}

std::string kind_of(const Json& like) {
  if (like.is_string()) return "a text";
  if (like.is_number_float()) return "a number above 0";
  if (like.is_number()) return "a whole number, 0 or more";
  return str("a list of ", like.size(), " whole numbers above 0");
}

// Holds `given` to the keys and kinds of `like`; prefix: of the keys in messages.
void check_keys(const Json& given, const Json& like, const std::string& source, const std::string& prefix) {
  GHOST_CHECK(given.is_object(), source, ": ", prefix.empty() ? "a device" : prefix.substr(0, prefix.size() - 1),
              " must be an object of keys and values");
  std::vector<std::string> known;
  for (const auto& item : like.items()) known.push_back(item.key());
  for (const auto& item : given.items()) {
    if (like.contains(item.key())) continue;
    const std::string near = nearest_word(item.key(), known);
    GHOST_FAIL(kUsage, source, ": unknown key '", prefix, item.key(), "'",
               near.empty() ? "" : "; did you mean '" + prefix + near + "'?");
  }
  for (const auto& [key, wanted] : like.items()) {
    GHOST_CHECK(given.contains(key), source, ": key '", prefix, key,
                "' is missing; `ghosttrain info --device h100` prints a whole description");
    if (wanted.is_object()) {
      check_keys(given[key], wanted, source, prefix + key + ".");
      continue;
    }
    GHOST_CHECK(same_kind(given[key], wanted), source, ": ", prefix, key, " is ", given[key].dump(), ", it must be ",
                kind_of(wanted));
  }
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  GHOST_CHECK(file.good(), path, ": cannot be read");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Json parse(const std::string& text, const std::string& source) {
  try {
    return parse_unique<Json>(
        text, [&](const std::string& key) { GHOST_FAIL(kUsage, source, ": key '", key, "' stands there twice"); });
  } catch (const Json::exception& error) {
    GHOST_FAIL(kUsage, source, ": no valid JSON: ", error.what());
  }
}

}  // namespace

std::vector<std::string> gpu_names() {
  std::vector<std::string> names;
  for (const auto& [name, json] : kGpus) names.emplace_back(name);
  return names;
}

std::string_view gpu_json(std::string_view name) {
  for (const auto& [known, json] : kGpus)
    if (known == name) return json;
  const std::string near = nearest_word(std::string(name), gpu_names());
  GHOST_FAIL(kUsage, "device '", name, "' is not known", near.empty() ? "" : "; did you mean '" + near + "'?",
             " Built in are ", joined(gpu_names()), "; a file's name ends in .json");
}

GpuDevice load_gpu(const std::string& name_or_file, const std::string& precision) {
  const bool is_file = name_or_file.ends_with(".json");
  const Json json = parse(is_file ? read_text(name_or_file) : std::string(gpu_json(name_or_file)), name_or_file);
  const Json form = Json::parse(kGpus[0].second);
  check_keys(json, form, name_or_file, "");
  Json properties;
  for (const auto& item : form.items())
    if (properties.size() < kCudnnKeys) properties[item.key()] = json[item.key()];
  const Json& flops = json["peakFlops"];
  return {json["deviceName"], json["totalGlobalMem"], json["memoryBandwidth"],
          flops.at("fp32"),   flops.at(precision),    properties.dump()};
}

}  // namespace ghost
