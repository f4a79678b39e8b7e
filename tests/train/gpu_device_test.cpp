#include "train/gpu_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/support/temp_folder.h"

namespace ghost {
namespace {

using testing::AllOf;
using testing::HasSubstr;

nlohmann::ordered_json h100() { return nlohmann::ordered_json::parse(gpu_json("h100")); }

std::string refusal(const std::string& text) {
  try {
    const test::TempFolder temp;
    load_gpu(temp.write_text("device.json", text), "fp32");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.message();
  }
  return "taken";
}

TEST(GpuDevice, BuiltInCards) {
  EXPECT_EQ(gpu_names(), (std::vector<std::string>{"h100", "a100", "rtx4090"}));
  for (const std::string& name : gpu_names()) {
    for (const char* precision : {"fp32", "tf32", "bf16", "fp16"}) {
      const GpuDevice gpu = load_gpu(name, precision);
      EXPECT_GT(gpu.memory, int64_t{20} << 30) << name;
      EXPECT_GT(gpu.bandwidth, 1e12) << name;
      EXPECT_GE(gpu.tensor_flops, gpu.fp32_flops) << name;
      EXPECT_EQ(nlohmann::json::parse(gpu.properties).size(), 23u) << name;  // what cuDNN asks for, and no more
    }
  }
  EXPECT_EQ(load_gpu("a100", "fp32").tensor_flops, 19.5e12);
  EXPECT_EQ(load_gpu("a100", "bf16").tensor_flops, 312e12);
}

TEST(GpuDevice, AFileOfTheSameForm) {
  nlohmann::ordered_json json = h100();
  json["deviceName"] = "half a card";
  json["totalGlobalMem"] = 40000000000;
  json["memoryBandwidth"] = 1000000000000;  // a whole number will do
  const test::TempFolder temp;
  const GpuDevice gpu = load_gpu(temp.write_text("half.json", json.dump()), "fp32");
  EXPECT_EQ(gpu.name, "half a card");
  EXPECT_EQ(gpu.memory, 40000000000);
  EXPECT_EQ(gpu.bandwidth, 1e12);
  EXPECT_THAT(gpu.properties, AllOf(HasSubstr("half a card"), testing::Not(HasSubstr("memoryBandwidth"))));
}

TEST(GpuDevice, RefusesWithTheKeysName) {
  nlohmann::ordered_json json = h100();
  json["multiProcesorCount"] = 1;
  EXPECT_THAT(refusal(json.dump()),
              AllOf(HasSubstr("device.json: unknown key 'multiProcesorCount'"), HasSubstr("'multiProcessorCount'")));
  json = h100();
  json["peakFlops"]["fp8"] = 1e15;
  EXPECT_THAT(refusal(json.dump()), HasSubstr("unknown key 'peakFlops.fp8'"));
  json = h100();
  json.erase("l2CacheSize");
  EXPECT_THAT(refusal(json.dump()), HasSubstr("key 'l2CacheSize' is missing"));
  json = h100();
  json["peakFlops"].erase("bf16");
  EXPECT_THAT(refusal(json.dump()), HasSubstr("key 'peakFlops.bf16' is missing"));
}

TEST(GpuDevice, RefusesWrongValues) {
  const auto with = [](const char* key, const nlohmann::ordered_json& value) {
    nlohmann::ordered_json json = h100();
    json[key] = value;
    return refusal(json.dump());
  };
  EXPECT_THAT(with("warpSize", "32"), HasSubstr("warpSize is \"32\", it must be a whole number"));
  EXPECT_THAT(with("warpSize", 3.5), HasSubstr("warpSize is 3.5"));
  EXPECT_THAT(with("totalGlobalMem", -1), HasSubstr("totalGlobalMem is -1"));
  EXPECT_THAT(with("memoryBandwidth", 0), HasSubstr("a number above 0"));
  EXPECT_THAT(with("maxGridSize", {1, 2}), HasSubstr("a list of 3 whole numbers"));
  EXPECT_THAT(with("maxGridSize", {1, 2, "3"}), HasSubstr("a list of 3 whole numbers"));
  EXPECT_THAT(with("deviceName", 7), HasSubstr("a text"));
  EXPECT_THAT(with("peakFlops", 7), HasSubstr("peakFlops must be an object"));
}

TEST(GpuDevice, RefusesDamage) {
  EXPECT_THAT(refusal(""), HasSubstr("no valid JSON"));
  EXPECT_THAT(refusal("[1]"), HasSubstr("a device must be an object"));
  EXPECT_THAT(refusal(std::string(gpu_json("h100")).substr(0, 300)), HasSubstr("no valid JSON"));
  std::string twice(gpu_json("h100"));
  twice.insert(1, "\"warpSize\": 16,");
  EXPECT_THAT(refusal(twice), HasSubstr("key 'warpSize' stands there twice"));
  EXPECT_THROW(load_gpu("no/such/file.json", "fp32"), Error);
}

TEST(GpuDevice, UnknownNames) {
  try {
    load_gpu("h10", "fp32");
    FAIL() << "h10 is no card";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), AllOf(HasSubstr("did you mean 'h100'"), HasSubstr("rtx4090")));
  }
}

}  // namespace
}  // namespace ghost
